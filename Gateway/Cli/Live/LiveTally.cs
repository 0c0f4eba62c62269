using Gateway.Replay.Reports;
using Gateway.Replay.Traces;

namespace Gateway.Cli.Live;

/// <summary>Counts what becomes of a load, and hands each result on to the statistics. Used by one loop.</summary>
internal sealed class LiveTally(IRunObserver observer, TimeProvider time)
{
    private const int MostKinds = 100;
    private const int MostReplicas = 1_000;
    private const string Other = "other";

    private readonly LatencyHistogram _lateness = new();
    private readonly Dictionary<string, long> _failures = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _replicas = new(StringComparer.Ordinal);
    private long _begunAt = time.GetTimestamp();
    private TimeSpan _lastDue;
    private TimeSpan _lastSent;
    private TimeSpan _lastEnd;
    private long _asked;
    private long _sent;
    private long _givenUp;
    private long _promptTokens;
    private long _cachedTokens;
    private bool _tellsCached;
    private int _mostOpen;

    /// <summary>Time since the run's start, which is the first row's arrival.</summary>
    public TimeSpan Now => time.GetElapsedTime(_begunAt);

    /// <summary>Requests that ended, well or not.</summary>
    public long Ended { get; private set; }

    /// <summary>Those that did not end well.</summary>
    public long Failed { get; private set; }

    /// <summary>Requests open now.</summary>
    public int Open { get; private set; }

    /// <summary>The first row is due now.</summary>
    public void Begin() => _begunAt = time.GetTimestamp();

    /// <summary>A request that a fault of our own took away.</summary>
    public void OnLost() => Open--;

    /// <param name="isSent">Not beyond the cap: what is never sent is never open at the endpoint.</param>
    public void OnAsked(bool isSent)
    {
        _asked++;
        Open++;
        _mostOpen = isSent ? Math.Max(_mostOpen, Open) : _mostOpen;
    }

    /// <returns>When it ended, on the clock of <see cref="Now"/>.</returns>
    public TimeSpan OnEnded(TraceRequest row, TimeSpan due, LiveAnswer answer)
    {
        Open--;
        _lastDue = due > _lastDue ? due : _lastDue;
        var end = time.GetElapsedTime(_begunAt, answer.EndedAt);
        if (answer.SentAt is { } sentAt)
        {
            var sent = time.GetElapsedTime(_begunAt, sentAt);
            _sent++;
            _lastSent = sent > _lastSent ? sent : _lastSent;
            _lateness.Add(Math.Max(0, (sent - due).TotalSeconds));
        }
        if (answer.IsGivenUp)
        {
            _givenUp++;
            return end;
        }
        Ended++;
        if (answer.Failure is { } failure)
        {
            Failed++;
            var kind = _failures.Count < MostKinds || _failures.ContainsKey(failure) ? failure : Other;
            _failures[kind] = _failures.GetValueOrDefault(kind) + 1;
        }
        else
        {
            CountTokens(answer.Stream!);
            var lastToken = time.GetElapsedTime(_begunAt, answer.Stream!.LastAt ?? answer.EndedAt);
            _lastEnd = lastToken > _lastEnd ? lastToken : _lastEnd;
        }
        CountReplica(answer.Replica);
        observer.OnRequest(answer.Result(row, _begunAt, time));
        return end;
    }

    /// <summary>The run is over: closes the statistics.</summary>
    public LoadFigures Close()
    {
        // One engine stands for all that answered: its cache's share is what usage told.
        observer.OnEnd(_lastEnd, _sent, _tellsCached ? [new EngineTotals(0, 0, 0, _promptTokens, _cachedTokens, 0)] : []);
        return new LoadFigures
        {
            Sent = _sent,
            OfferedRate = _lastDue > TimeSpan.Zero ? _asked / _lastDue.TotalSeconds : 0,
            SentRate = _lastSent > TimeSpan.Zero ? _sent / _lastSent.TotalSeconds : 0,
            Lateness = LatencySummary.Of(_lateness),
            MostOpen = _mostOpen,
            GivenUp = _givenUp,
            Failures = [.. _failures.OrderByDescending(kind => kind.Value).ThenBy(kind => kind.Key, StringComparer.Ordinal).Select(kind => new NamedCount(kind.Key, kind.Value))],
            Replicas = [.. _replicas.OrderBy(replica => replica.Key, StringComparer.Ordinal).Select(replica => new NamedCount(replica.Key, replica.Value))],
        };
    }

    private void CountTokens(LiveStream stream)
    {
        _tellsCached |= stream.Usage.CachedTokens is not null;
        _promptTokens += stream.Usage.PromptTokens ?? 0;
        _cachedTokens += stream.Usage.CachedTokens ?? 0;
    }

    private void CountReplica(string? replica)
    {
        if (replica is not null)
        {
            var name = _replicas.Count < MostReplicas || _replicas.ContainsKey(replica) ? replica : Other;
            _replicas[name] = _replicas.GetValueOrDefault(name) + 1;
        }
    }
}
