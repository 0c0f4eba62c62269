namespace Gateway.Routing;

/// <summary>Sessions whose last answer called a tool, and how long each tool's calls take until the session asks again: a call ends a request, not its session (LAMPS, arXiv 2410.18248).
/// Bounded; not thread-safe.</summary>
internal sealed class SessionReturns
{
    private const int MostAway = 65_536;
    private const int MostTools = 1_024;

    // Fewer say less of a tool than all tools together do.
    private const int LeastReturns = 8;

    private readonly RecentKeys<Call> _away = new(MostAway);
    private readonly RecentKeys<ReturnTimes> _tools = new(MostTools);
    private readonly ReturnTimes _all = new();

    /// <summary>Tools that are told apart.</summary>
    public int Tools => _tools.Count;

    /// <summary>An answer called a tool.</summary>
    /// <param name="session">Whose.</param>
    /// <param name="tool">Keyed hash of the tool's name; 0: unknown.</param>
    /// <param name="now">Time since any fixed moment.</param>
    public void OnCall(ulong session, ulong tool, TimeSpan now) => _away.Set(session, new Call(tool, now));

    /// <summary>A session asks again.</summary>
    public void OnRequest(ulong session, TimeSpan now)
    {
        if (!_away.Remove(session, out var call) || now < call.At)
        {
            return;
        }
        _all.Add(now - call.At);
        if (call.Tool == 0)
        {
            return;
        }
        if (!_tools.TryGet(call.Tool, out var times))
        {
            times = new ReturnTimes();
        }
        times.Add(now - call.At);
        _tools.Set(call.Tool, times);
    }

    /// <summary>Until when a session is expected back; null: it calls no tool, or nothing is known of how long that takes.</summary>
    /// <param name="session">The session.</param>
    /// <param name="share">Share of the calls that are back by then.</param>
    public TimeSpan? ExpectedBy(ulong session, double share)
    {
        if (!_away.TryGet(session, out var call))
        {
            return null;
        }
        var times = _tools.TryGet(call.Tool, out var own) && own.Count >= LeastReturns ? own : _all;
        return times.Count >= LeastReturns ? call.At + times.Quantile(share) : null;
    }

    private readonly record struct Call(ulong Tool, TimeSpan At);
}
