using Gateway.Simulation;

namespace Gateway.Replay.Calibration;

/// <summary>What a measured span of time was spent on.</summary>
public enum ObservationKind
{
    /// <summary>Steps that only decode: gaps between the tokens of running answers.</summary>
    Decode,

    /// <summary>Sending a request to its first token, with nothing else running.</summary>
    Prefill,

    /// <summary>Steps in which a prompt's chunk shares the step with decodes.</summary>
    Mixed,
}

/// <summary>Steps of one load within a span.</summary>
/// <param name="Load">What each of them computed.</param>
/// <param name="Count">How many; a fraction where only part of a step falls into the span.</param>
public readonly record struct StepCount(StepLoad Load, double Count);

/// <summary>A measured span: which steps the engine made in it, and how long it lasted.</summary>
/// <param name="Kind">What it tells about.</param>
/// <param name="Steps">The steps of the span, in any order.</param>
/// <param name="Requests">How many requests' fixed cost (network, HTTP, tokenizer) the span contains: 1 for a time to first token, 0 for gaps.</param>
/// <param name="Milliseconds">Length of the span, above 0.</param>
public sealed record StepObservation(ObservationKind Kind, IReadOnlyList<StepCount> Steps, double Requests, double Milliseconds);

/// <summary>The loads that an engine's steps have while it does known work.</summary>
public static class StepLoads
{
    /// <summary>A step that only decodes.</summary>
    public static StepLoad Decode(int sequences, long contextTokens) => new(sequences, sequences, sequences, contextTokens, 0, 0);

    /// <summary>The steps of one prompt's prefill, cut by the token budget, beside decoding sequences (0: alone).</summary>
    public static IEnumerable<StepLoad> Prefill(int promptTokens, int cachedTokens, int maxBatchedTokens, int decodes = 0, long contextTokens = 0)
    {
        var budget = Math.Max(1, maxBatchedTokens - decodes);
        for (var done = Math.Min(cachedTokens, promptTokens - 1); done < promptTokens;)
        {
            var chunk = Math.Min(budget, promptTokens - done);
            yield return new StepLoad(chunk + decodes, decodes + 1, decodes, contextTokens, 1, chunk * (done + (chunk / 2.0)));
            done += chunk;
        }
    }
}
