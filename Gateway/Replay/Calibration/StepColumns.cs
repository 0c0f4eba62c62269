using Gateway.Simulation;

namespace Gateway.Replay.Calibration;

/// <summary>The step time as a sum of columns times unknown constants; what is not unknown is taken from the base profile. Immutable.</summary>
/// <remarks>
/// Columns: the constant part of every step, one slope per segment of the token-wise layers, decode per sequence and per context token, prefill per pair, and
/// the fixed cost of a request. The mixed factor multiplies two of them, so it is given from outside.
/// </remarks>
internal sealed class StepColumns
{
    // Where measured layer tables bend: small batches are bound by memory, large ones by arithmetic.
    private static readonly int[] Bends = [1, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192];

    private readonly EngineProfile _base;
    private readonly int[] _knots;

    public StepColumns(EngineProfile baseProfile, int mostTokens)
    {
        _base = baseProfile;
        _knots = [.. Bends.TakeWhile(bend => bend == 1 || bend < mostTokens)];
    }

    public int Count => _knots.Length + 5;

    public int Segments => _knots.Length;

    public int DecodePerSequence => _knots.Length + 1;

    public int DecodePerContextToken => _knots.Length + 2;

    public int PrefillPerTokenPair => _knots.Length + 3;

    public int Request => _knots.Length + 4;

    public int Knot(int segment) => _knots[segment];

    /// <summary>Fills a row of factors.</summary>
    /// <returns>The milliseconds that are known beforehand.</returns>
    public double Fill(StepObservation observation, double mixedFactor, Span<double> row)
    {
        row.Clear();
        var known = 0.0;
        foreach (var (load, count) in observation.Steps)
        {
            var factor = load.PrefillChunks > 0 ? mixedFactor : 1;
            row[0] += count;
            for (var segment = 0; segment < _knots.Length; segment++)
            {
                var end = segment + 1 < _knots.Length ? _knots[segment + 1] : int.MaxValue;
                row[1 + segment] += count * Math.Clamp(load.Tokens - _knots[segment], 0, end - _knots[segment]);
            }

            row[DecodePerSequence] += count * factor * load.Decodes;
            row[DecodePerContextToken] += count * factor * load.DecodeContextTokens;
            row[PrefillPerTokenPair] += count * load.PrefillTokenPairs;
            known += count * ((_base.HeadPerSequence * load.Sequences) + (load.Decodes > 0 ? factor * _base.DecodeFixed : 0) + (load.PrefillChunks > 0 ? _base.PrefillFixed : 0));
        }

        row[Request] = observation.Requests;
        return known;
    }

    /// <summary>The base profile's own constants.</summary>
    public double[] BaseValues()
    {
        var values = new double[Count];
        values[0] = LayersAt(1) + _base.Head + _base.Overhead;
        for (var segment = 0; segment < _knots.Length; segment++)
        {
            var from = _knots[segment];
            var to = segment + 1 < _knots.Length ? _knots[segment + 1] : Math.Max(from, _base.Layers[^1].Tokens) + 1_000;
            values[1 + segment] = Math.Max(0, (LayersAt(to) - LayersAt(from)) / (to - from));
        }

        values[DecodePerSequence] = _base.DecodePerSequence;
        values[DecodePerContextToken] = _base.DecodePerContextToken;
        values[PrefillPerTokenPair] = _base.PrefillPerTokenPair;
        return values;
    }

    /// <summary>A profile with these constants. Head and overhead are the base's, since no measurement from outside tells them from the layers.</summary>
    public EngineProfile ToProfile(double[] values, double mixedFactor)
    {
        var (head, overhead) = (_base.Head, _base.Overhead);
        if (values[0] <= head + overhead)
        {
            (head, overhead) = (0, 0);
        }

        var layers = new List<LayerTime> { new(1, values[0] - head - overhead) };
        for (var segment = 0; segment + 1 < _knots.Length; segment++)
        {
            layers.Add(new LayerTime(_knots[segment + 1], layers[^1].Milliseconds + (values[1 + segment] * (_knots[segment + 1] - _knots[segment]))));
        }

        return _base with
        {
            Layers = layers,
            LayersPerTokenBeyond = values[_knots.Length],
            Head = head,
            Overhead = overhead,
            DecodePerSequence = values[DecodePerSequence],
            DecodePerContextToken = values[DecodePerContextToken],
            PrefillPerTokenPair = values[PrefillPerTokenPair],
            MixedDecodeFactor = mixedFactor,
        };
    }

    private double LayersAt(int tokens)
    {
        var bare = _base with { Head = 0, HeadPerSequence = 0, Overhead = 0, MaxBatchedTokens = 1 };
        return new StepTime(bare).Milliseconds(new StepLoad(tokens, 0, 0, 0, 0, 0));
    }
}
