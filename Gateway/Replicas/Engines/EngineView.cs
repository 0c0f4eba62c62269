namespace Gateway.Replicas.Engines;

/// <summary>Puts together what was read of one engine at different times. Thread-safe.</summary>
internal sealed class EngineView(TimeProvider time)
{
    /// <summary>Readings of the load that may fail in a row before the last one is no longer believed.</summary>
    public const int FailuresToForget = 3;

    private readonly Lock _gate = new();
    private EngineReport _facts = EngineReport.Empty;
    private EngineReport _load = EngineReport.Empty;
    private int _failuresInARow;
    private long? _stillSince;
    private long _loadReadAt;

    /// <summary>Between how distant readings the engine had running requests and made no step; null: it steps, is idle, or is not known.</summary>
    public TimeSpan? Standstill
    {
        get
        {
            lock (_gate)
            {
                return _stillSince is { } since ? time.GetElapsedTime(since, _loadReadAt) : null;
            }
        }
    }

    public EngineReport TakeFacts(EngineReport facts)
    {
        lock (_gate)
        {
            // Facts come from several endpoints: what one of them did not bring this time is kept from before.
            _facts = facts with
            {
                Version = facts.Version ?? _facts.Version,
                ContextTokens = facts.ContextTokens ?? _facts.ContextTokens,
                Slots = facts.Slots ?? _facts.Slots,
                Priority = facts.Priority == EnginePriority.Auto ? _facts.Priority : facts.Priority,
                KvCapacityTokens = facts.KvCapacityTokens ?? _facts.KvCapacityTokens,
                CachesPrefixes = facts.CachesPrefixes ?? _facts.CachesPrefixes,
            };
            return MergeLocked();
        }
    }

    public EngineReport TakeLoad(EngineReport load)
    {
        lock (_gate)
        {
            _failuresInARow = 0;
            var stands = load is { RunningRequests: > 0, Progress: not null } && load.Progress == _load.Progress;
            _loadReadAt = time.GetTimestamp();
            _stillSince = stands ? _stillSince ?? _loadReadAt : null;
            _load = load with
            {
                LoadReadAt = _loadReadAt,
                KvCapacityTokens = load.KvCapacityTokens ?? _load.KvCapacityTokens,
                Slots = load.Slots ?? _load.Slots,
                CachesPrefixes = load.CachesPrefixes ?? _load.CachesPrefixes,
            };
            return MergeLocked();
        }
    }

    /// <summary>A reading failed; null: nothing changes by it.</summary>
    public EngineReport? TakeLoadFailure()
    {
        lock (_gate)
        {
            _stillSince = null;
            if (++_failuresInARow != FailuresToForget)
            {
                return null;
            }
            // KV room, slots and caching do not change while the engine runs; load is outdated within seconds.
            ForgetLoadLocked(new EngineReport { KvCapacityTokens = _load.KvCapacityTokens, Slots = _load.Slots, CachesPrefixes = _load.CachesPrefixes });
            return MergeLocked();
        }
    }

    /// <summary>The engine may be another one when it is back.</summary>
    public void Forget()
    {
        lock (_gate)
        {
            _facts = EngineReport.Empty;
            ForgetLoadLocked(EngineReport.Empty);
        }
    }

    private void ForgetLoadLocked(EngineReport rest)
    {
        _load = rest;
        _stillSince = null;
    }

    private EngineReport MergeLocked() => _load with
    {
        // Taken under the lock, so that of two readings at once the later one also carries the later time.
        ReadAt = time.GetTimestamp(),
        Engine = _facts.Engine,
        Version = _facts.Version,
        Models = _facts.Models,
        Priority = _facts.Priority,
        ContextTokens = _facts.ContextTokens,
        Slots = _load.Slots ?? _facts.Slots,
        KvCapacityTokens = _load.KvCapacityTokens ?? _facts.KvCapacityTokens,
        CachesPrefixes = _load.CachesPrefixes ?? _facts.CachesPrefixes,
    };
}
