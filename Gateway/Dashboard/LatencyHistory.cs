using System.Collections.Concurrent;
using Gateway.Learning;

namespace Gateway.Dashboard;

/// <summary>What the charts show.</summary>
public enum LatencyKind
{
    /// <summary>Arrival to the first token, of streams.</summary>
    FirstToken,

    /// <summary>Gaps between the tokens of streams.</summary>
    TokenGap,

    /// <summary>Arrival to the end of the answer.</summary>
    Answer,
}

/// <summary>Quantiles of one slot of time, in seconds; null: nothing happened.</summary>
public readonly record struct LatencyPoint(double? Median, double? Upper);

/// <summary>Latencies of the last ten minutes, by model. Thread-safe; bounded by the models that are configured.</summary>
public sealed class LatencyHistory(TimeProvider time) : ICompletionObserver
{
    /// <summary>Length of a slot.</summary>
    public const int SlotSeconds = 5;

    /// <summary>The upper quantile.</summary>
    public const double UpperShare = 0.99;

    private static readonly int Kinds = Enum.GetValues<LatencyKind>().Length;

    private readonly long _begun = time.GetTimestamp();
    private readonly ConcurrentDictionary<string, LatencyWindow[]> _models = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public void OnCompleted(CompletedRequest completed)
    {
        if (completed is not { Model: { } model, Outcome: RequestOutcome.Success, Route.Generates: true })
        {
            return;
        }
        Add(model, LatencyKind.Answer, completed.Duration.TotalSeconds);
        if (completed is { TimeToFirstToken: { } first, Request.Body.IsStreaming: true })
        {
            Add(model, LatencyKind.FirstToken, first.TotalSeconds);
        }
    }

    /// <summary>A gap between two content events of a stream. Called per token: does not allocate.</summary>
    public void OnTokenGap(string model, double seconds) => Add(model, LatencyKind.TokenGap, seconds);

    /// <summary>One point per slot, the oldest first; the last slot is still filling.</summary>
    /// <param name="kind">Which latency.</param>
    /// <param name="model">A pool's name; null: all of them together.</param>
    public LatencyPoint[] Read(LatencyKind kind, string? model)
    {
        LatencyWindow[][] models = model is null ? [.. _models.Values] : _models.TryGetValue(model, out var found) ? [found] : [];
        var points = new LatencyPoint[LatencyWindow.Slots];
        var now = Slot();
        Span<long> sums = stackalloc long[LatencyWindow.Buckets];
        for (var i = 0; i < points.Length; i++)
        {
            sums.Clear();
            foreach (var windows in models)
            {
                windows[(int)kind].AddTo(sums, now - points.Length + 1 + i);
            }
            points[i] = new LatencyPoint(LatencyWindow.Quantile(sums, 0.5), LatencyWindow.Quantile(sums, UpperShare));
        }
        return points;
    }

    private void Add(string model, LatencyKind kind, double seconds) =>
        _models.GetOrAdd(model, static _ => [.. Enumerable.Range(0, Kinds).Select(_ => new LatencyWindow())])[(int)kind].Add(Slot(), seconds);

    // Starts at the number of slots kept, so that looking back never gives a negative slot.
    private long Slot() => LatencyWindow.Slots + (long)(time.GetElapsedTime(_begun).TotalSeconds / SlotSeconds);
}
