namespace Gateway.Simulation;

/// <summary>What one step has to compute.</summary>
/// <param name="Tokens">All tokens of the step, chunks and decodes.</param>
/// <param name="Sequences">Requests in the step.</param>
/// <param name="Decodes">Requests that decode one token.</param>
/// <param name="DecodeContextTokens">Sum of the contexts of the decoding requests, in tokens.</param>
/// <param name="PrefillChunks">Requests that prefill a chunk.</param>
/// <param name="PrefillTokenPairs">Sum over chunks of chunk * (context before it + half the chunk).</param>
public readonly record struct StepLoad(int Tokens, int Sequences, int Decodes, long DecodeContextTokens, int PrefillChunks, double PrefillTokenPairs);

/// <summary>How long a step takes on a profile's hardware. Immutable, thread-safe.</summary>
/// <remarks>
/// Token-wise layers (piecewise linear) + head + decode attention + prefill attention + overhead; decode attention is dearer in a step that also
/// prefills. Shape and constants: LLMServingSim's kernel tables of vLLM 0.19.
/// </remarks>
public sealed class StepTime
{
    private readonly EngineProfile _profile;
    private readonly double[] _layersByTokens;

    public StepTime(EngineProfile profile)
    {
        _profile = profile;
        _layersByTokens = new double[profile.MaxBatchedTokens + 1];
        for (var tokens = 1; tokens < _layersByTokens.Length; tokens++)
        {
            _layersByTokens[tokens] = Interpolate(profile, tokens);
        }
    }

    /// <summary>Milliseconds of a step; 0 for an empty one.</summary>
    public double Milliseconds(in StepLoad load)
    {
        if (load.Tokens == 0)
        {
            return 0;
        }

        var decode = load.Decodes == 0
            ? 0
            : _profile.DecodeFixed + (_profile.DecodePerSequence * load.Decodes) + (_profile.DecodePerContextToken * load.DecodeContextTokens);
        if (load.PrefillChunks == 0)
        {
            return Layers(load.Tokens) + Head(load.Sequences) + decode + _profile.Overhead;
        }

        var prefill = _profile.PrefillFixed + (_profile.PrefillPerTokenPair * load.PrefillTokenPairs);
        return Layers(load.Tokens) + Head(load.Sequences) + (_profile.MixedDecodeFactor * decode) + prefill + _profile.Overhead;
    }

    private double Head(int sequences) => _profile.Head + (_profile.HeadPerSequence * sequences);

    private double Layers(int tokens) => tokens < _layersByTokens.Length ? _layersByTokens[tokens] : Interpolate(_profile, tokens);

    private static double Interpolate(EngineProfile profile, int tokens)
    {
        var points = profile.Layers;
        var last = points[^1];
        if (tokens >= last.Tokens)
        {
            return last.Milliseconds + (profile.LayersPerTokenBeyond * (tokens - last.Tokens));
        }

        var upper = 0;
        while (points[upper].Tokens < tokens)
        {
            upper++;
        }

        if (upper == 0)
        {
            return points[0].Milliseconds;
        }

        var (from, to) = (points[upper - 1], points[upper]);
        return from.Milliseconds + ((to.Milliseconds - from.Milliseconds) * (tokens - from.Tokens) / (to.Tokens - from.Tokens));
    }
}
