namespace Gateway.Replay.Traces;

/// <summary>A workload that is played several times before it counts: what a gateway knows by then that has run for a while.</summary>
/// <remarks>Conversations begin anew each time; prompts share what they share in the source, whichever time it is.</remarks>
internal sealed class LeadInTrace : ITrace
{
    private readonly ITrace _inner;
    private readonly int _times;
    private readonly TimeSpan _once;

    /// <param name="inner">The workload itself, read once here for its length.</param>
    /// <param name="times">How often it is played before.</param>
    public LeadInTrace(ITrace inner, int times)
    {
        (_inner, _times) = (inner, times);
        (var rows, TimeSpan? first, var last) = (0, null, TimeSpan.Zero);
        foreach (var row in inner.Read())
        {
            (rows, first, last) = (rows + 1, first ?? row.Arrival, row.Arrival);
        }
        // The pause between two of its requests passes between two times, too.
        _once = rows > 1 ? (last - first!.Value) * rows / (rows - 1) : TimeSpan.Zero;
    }

    public string Name => _inner.Name;

    /// <summary>When it is played for the last time: the requests that count come from then on.</summary>
    public TimeSpan CountsFrom => _times * _once;

    public IEnumerable<TraceRequest> Read()
    {
        for (var time = 0; time <= _times; time++)
        {
            foreach (var row in _inner.Read())
            {
                yield return time == 0 ? row : row with { Arrival = row.Arrival + (time * _once), SessionId = row.SessionId is { } session ? $"{session}#{time}" : null };
            }
        }
    }
}
