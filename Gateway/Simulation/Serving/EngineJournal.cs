namespace Gateway.Simulation.Serving;

/// <summary>A data request as it arrived: headers by lower-case name, several values joined by a comma and a space; the raw body, empty for multipart.</summary>
public sealed record RecordedRequest(string Method, string PathAndQuery, IReadOnlyDictionary<string, string> Headers, byte[] Body);

/// <summary>What an engine has seen, for tests: counts always, whole requests up to a bound and only when asked for. Thread-safe.</summary>
public sealed class EngineJournal(int recordedRequests)
{
    private readonly Lock _gate = new();
    private readonly Queue<RecordedRequest> _requests = new();
    private long _started;
    private long _finished;
    private long _cancelled;
    private int _openConnections;

    /// <summary>Data requests that arrived.</summary>
    public long Started => Interlocked.Read(ref _started);

    /// <summary>Data requests answered to the end, refusals included.</summary>
    public long Finished => Interlocked.Read(ref _finished);

    /// <summary>Data requests whose client left, or whose connection a fault cut.</summary>
    public long Cancelled => Interlocked.Read(ref _cancelled);

    /// <summary>Data requests in progress.</summary>
    public long Open => Started - Finished - Cancelled;

    public int OpenConnections => Volatile.Read(ref _openConnections);

    /// <summary>The latest requests, oldest first.</summary>
    public IReadOnlyList<RecordedRequest> Requests
    {
        get
        {
            lock (_gate)
            {
                return [.. _requests];
            }
        }
    }

    internal bool IsRecording => recordedRequests > 0;

    internal void Start() => Interlocked.Increment(ref _started);

    internal void End(bool wasCancelled) => Interlocked.Increment(ref wasCancelled ? ref _cancelled : ref _finished);

    internal void CountConnection(int change) => Interlocked.Add(ref _openConnections, change);

    internal void Record(RecordedRequest request)
    {
        lock (_gate)
        {
            _requests.Enqueue(request);
            if (_requests.Count > recordedRequests)
            {
                _requests.Dequeue();
            }
        }
    }
}
