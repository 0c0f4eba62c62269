using System.Collections.Frozen;
using Gateway.Queueing;
using Gateway.Requests;

namespace Gateway.Replay.Reports;

/// <summary>What a good answer keeps to; null: no limit of that kind.</summary>
/// <param name="TimeToFirstToken">Arrival to first token, queueing included; a request's own limit goes before it.</param>
/// <param name="TimePerOutputToken">Mean time per output token after the first.</param>
/// <param name="EndToEnd">Arrival to last token.</param>
public sealed record SloLimits(TimeSpan? TimeToFirstToken = null, TimeSpan? TimePerOutputToken = null, TimeSpan? EndToEnd = null)
{
    /// <summary>No limits at all.</summary>
    public static SloLimits None { get; } = new();

    /// <summary>Limits of single classes, which go before those of all.</summary>
    public IReadOnlyDictionary<PriorityClass, SloLimits> Classes { get; init; } = FrozenDictionary<PriorityClass, SloLimits>.Empty;

    /// <summary>Whether any limit is given.</summary>
    public bool HasAny => TimeToFirstToken is not null || TimePerOutputToken is not null || EndToEnd is not null || Classes.Count > 0;

    /// <summary>The limits as a gateway is told them.</summary>
    internal ClassesOptions Targets => new()
    {
        Interactive = TargetsOf(PriorityClass.Interactive),
        Default = TargetsOf(PriorityClass.Default),
        Batch = TargetsOf(PriorityClass.Batch),
    };

    /// <summary>Whether a request ended well and within every limit.</summary>
    public bool IsMetBy(in RequestResult result)
    {
        if (result.Outcome != ReplayOutcome.Completed)
        {
            return false;
        }
        var limits = Of(result.Priority);
        var first = result.TimeToFirstTokenSlo ?? limits.TimeToFirstToken;
        return (first is null || result.TimeToFirstToken <= first)
            && (limits.EndToEnd is null || result.EndToEnd <= limits.EndToEnd)
            && (limits.TimePerOutputToken is not { } each || result.TimePerOutputTokenSeconds is not { } seconds || seconds <= each.TotalSeconds);
    }

    private SloLimits Of(PriorityClass priority) => !Classes.TryGetValue(priority, out var own) ? this
        : new SloLimits(own.TimeToFirstToken ?? TimeToFirstToken, own.TimePerOutputToken ?? TimePerOutputToken, own.EndToEnd ?? EndToEnd);

    private ClassOptions TargetsOf(PriorityClass priority)
    {
        var limits = Of(priority);
        return new ClassOptions { TtftTarget = limits.TimeToFirstToken, InterTokenTarget = limits.TimePerOutputToken };
    }

    /// <summary>A limit with its unit, such as "50 ms".</summary>
    internal static string Text(TimeSpan limit) => limit < TimeSpan.FromSeconds(1)
        ? FormattableString.Invariant($"{limit.TotalMilliseconds:0.###} ms")
        : FormattableString.Invariant($"{limit.TotalSeconds:0.###} s");

    /// <summary>In words, such as "TTFT ≤ 2 s, TPOT ≤ 50 ms"; "none" without limits.</summary>
    public override string ToString()
    {
        var parts = new List<string>(4);
        AddPart("TTFT", TimeToFirstToken);
        AddPart("TPOT", TimePerOutputToken);
        AddPart("E2E", EndToEnd);
        foreach (var (priority, limits) in Classes.OrderBy(row => row.Key))
        {
            parts.Add($"{priority.Word()}: {limits}");
        }
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
