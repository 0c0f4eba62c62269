namespace Gateway.Replay.Reports;

/// <summary>What a good answer keeps to; null: no limit of that kind.</summary>
/// <param name="TimeToFirstToken">Arrival to first token, queueing included; a request's own limit goes before it.</param>
/// <param name="TimePerOutputToken">Mean time per output token after the first.</param>
/// <param name="EndToEnd">Arrival to last token.</param>
public sealed record SloLimits(TimeSpan? TimeToFirstToken = null, TimeSpan? TimePerOutputToken = null, TimeSpan? EndToEnd = null)
{
    /// <summary>No limits at all.</summary>
    public static SloLimits None { get; } = new();

    /// <summary>Whether any limit is given.</summary>
    public bool HasAny => TimeToFirstToken is not null || TimePerOutputToken is not null || EndToEnd is not null;

    /// <summary>Whether a request ended well and within every limit.</summary>
    public bool IsMetBy(in RequestResult result)
    {
        if (result.Outcome != ReplayOutcome.Completed)
        {
            return false;
        }
        var first = result.TimeToFirstTokenSlo ?? TimeToFirstToken;
        return (first is null || result.TimeToFirstToken <= first)
            && (EndToEnd is null || result.EndToEnd <= EndToEnd)
            && (TimePerOutputToken is not { } each || result.TimePerOutputTokenSeconds is not { } seconds || seconds <= each.TotalSeconds);
    }

    /// <summary>A limit with its unit, such as "50 ms".</summary>
    internal static string Text(TimeSpan limit) => limit < TimeSpan.FromSeconds(1)
        ? FormattableString.Invariant($"{limit.TotalMilliseconds:0.###} ms")
        : FormattableString.Invariant($"{limit.TotalSeconds:0.###} s");

    /// <summary>In words, such as "TTFT ≤ 2 s, TPOT ≤ 50 ms"; "none" without limits.</summary>
    public override string ToString()
    {
        var parts = new List<string>(3);
        AddPart("TTFT", TimeToFirstToken);
        AddPart("TPOT", TimePerOutputToken);
        AddPart("E2E", EndToEnd);
        return parts.Count == 0 ? "none" : string.Join(", ", parts);

        void AddPart(string name, TimeSpan? limit)
        {
            if (limit is { } time)
            {
                parts.Add($"{name} ≤ {Text(time)}");
            }
        }
    }
}
