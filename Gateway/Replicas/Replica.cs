using Gateway.Replicas.Rates;

namespace Gateway.Replicas;

/// <summary>Our view of one engine, and the sole writer of its ledger. Thread-safe; nothing is called back under its lock.</summary>
public sealed partial class Replica
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly FaultGate _faults;
    private readonly ServiceMeter _meter;
    private readonly LifeSigns _signs;
    private readonly RestartWatch _restarts;
    private EngineReport _report = EngineReport.Empty;
    private readonly TokenLedger _ledger = new();
    private readonly StepWatch _steps = new();
    private readonly ForeignLoadWatch _foreign = new();
    private readonly LearnedCapacity _learned = new();
    private readonly ShareSteering _steering = new();
    private int _roomVersion;
    private bool _wasFull;
    private long? _progressAt;
    private ReplicaOptions _options;

    /// <param name="options">As configured; a name behind which there are several engines is resolved before.</param>
    /// <param name="address">The engine's base address.</param>
    /// <param name="id">Name in headers, labels and ops paths.</param>
    /// <param name="slot">Index in the pool's sets of holders.</param>
    /// <param name="faults">When failures suspend the replica.</param>
    /// <param name="time">The clock.</param>
    public Replica(ReplicaOptions options, Uri address, string id, int slot, FaultLimits faults, TimeProvider time)
    {
        _options = options;
        _time = time;
        _faults = new FaultGate(faults, time);
        _meter = new ServiceMeter(options.Weight, time);
        _signs = new LifeSigns(time);
        _restarts = new RestartWatch(time);
        _probedSince = _drainChangedAt = time.GetUtcNow();
        Address = address;
        AddressPrefix = address.GetLeftPart(UriPartial.Path).TrimEnd('/');
        Id = id;
        Slot = slot;
    }

    /// <summary>Raised outside every lock when a waiting request may fit that did not before, or waits here for nothing.</summary>
    public event Action? RoomReturned;

    public string Id { get; }

    /// <summary>Asked whether this is the last replica that takes work, which is not suspended; null: never. Called outside every lock.</summary>
    internal Func<Replica, bool>? IsLast { get; init; }

    public Uri Address { get; }

    /// <summary>The base address as text, to which a path is added.</summary>
    public string AddressPrefix { get; }

    /// <summary>Index in the pool's sets of holders.</summary>
    public int Slot { get; }

    /// <summary>The operator's own words about it, for people to read.</summary>
    public IReadOnlyDictionary<string, string> Labels => Volatile.Read(ref _options).Labels;

    /// <summary>Which model server it was configured to be; null: as its model says.</summary>
    public EngineKind? ConfiguredEngine => Volatile.Read(ref _options).Engine;

    /// <summary>The engine's last word about itself.</summary>
    public EngineReport Report => Volatile.Read(ref _report);

    /// <summary>Whether new work may be sent now, and why not.</summary>
    public ReplicaHealth Health => HealthFor(isRead: false);

    /// <summary>Whether it takes a request: what it holds may be read while it drains and takes no new work.</summary>
    /// <param name="isRead">Whether the request only reads or deletes what the engine has made.</param>
    public ReplicaHealth HealthFor(bool isRead)
    {
        lock (_gate)
        {
            return HealthLocked(isRead);
        }
    }

    /// <summary>A version that changes with everything that may let in a request which found no room before, and with the health; not with time alone.</summary>
    public int RoomVersion => Volatile.Read(ref _roomVersion);

    /// <summary>Takes over what the engine says of itself.</summary>
    public void Observe(EngineReport report)
    {
        bool mayFit;
        bool isNew;
        lock (_gate)
        {
            if (report.ReadAt < _report.ReadAt)
            {
                return;
            }
            var before = RoomLocked();
            _report = report;
            _meter.OnReport(report);
            _signs.Observe(report.Progress, report.LoadReadAt);
            isNew = _restarts.Observe(report);
            // What other gateways have there is known from them: foreign is only what exceeds both sums.
            var (held, sequences) = (_ledger.HeldTokens + _peers.HeldTokens, _ledger.Sequences + _peers.Sequences);
            _learned.Observe(report, held, sequences, _wasFull);
            _foreign.Observe(report, CapacityLocked(), held, sequences);
            _steering.Observe(report.Preemptions, sequences, _wasFull, report.ReadAt, _time);
            _wasFull = false;
            mayFit = RoomLocked() != before;
        }
        if (isNew)
        {
            Restarted?.Invoke();
        }
        if (mayFit)
        {
            OnRoomReturned();
        }
    }

    /// <summary>An answer came to its end, or the engine refused for a reason that is the client's: the engine works.</summary>
    public void OnSuccess()
    {
        lock (_gate)
        {
            _faults.OnSuccess();
        }
        OnRoomReturned();
    }

    /// <summary>The engine failed: no connection, a server error, a broken or silent answer.</summary>
    public void OnFault()
    {
        string? suspendedFor;
        string? sparedFor;
        var isLast = IsLast?.Invoke(this) ?? false;
        lock (_gate)
        {
            suspendedFor = _faults.OnFault(isLast) ? _faults.Why : null;
            sparedFor = isLast && !_faults.IsOpen && _faults.FaultsInARow == _faults.Limits.FailuresToOpen ? _faults.CountInWords : null;
            Interlocked.Increment(ref _roomVersion);
        }
        TellSuspended(suspendedFor);
        if (sparedFor is not null)
        {
            Spared?.Invoke(sparedFor);
        }
    }

    /// <summary>A part of an answer came, or a whole one: the engine works. Cheap: called for every part.</summary>
    public void OnSign()
    {
        var now = _time.GetTimestamp();
        _signs.Note(now);
        _steps.OnHeard(now);
    }

    /// <summary>The attempt ended without a verdict on the engine: the client left, or the gateway stops.</summary>
    public void OnAbandoned()
    {
        lock (_gate)
        {
            _faults.OnAbandoned();
        }
    }

    /// <summary>The engine asked to be left alone: 429 or 503. A replica that fails fast must not look the least loaded.</summary>
    public void BackOff(TimeSpan duration)
    {
        lock (_gate)
        {
            _faults.BackOff(duration);
            Interlocked.Increment(ref _roomVersion);
        }
    }

    /// <summary>Takes over changed settings; load and history stay.</summary>
    public void Reconfigure(ReplicaOptions options, FaultLimits faults)
    {
        lock (_gate)
        {
            _options = options;
            _faults.Limits = faults;
        }
        OnRoomReturned();
    }

    /// <summary>Whether an answer of ours grew within a time: then the engine is alive, whatever its probes say.</summary>
    public bool HasAnsweredWithin(TimeSpan span)
    {
        lock (_gate)
        {
            return _progressAt is { } at && _time.GetElapsedTime(at) < span;
        }
    }

    /// <summary>How long until <see cref="Health"/> may turn back to up without anything else happening; null: no such time.</summary>
    /// <param name="asOf">Timestamp from which the time counts; null: now.</param>
    public TimeSpan? TimeUntilRetry(long? asOf = null)
    {
        if (!_faults.MayPause)
        {
            return null;
        }
        lock (_gate)
        {
            return _faults.TimeUntilRetry(asOf);
        }
    }

    internal void Advance(LoadReservation reservation, long generatedTokens, double remainingTokens)
    {
        var shrank = false;
        var isAwaited = false;
        lock (_gate)
        {
            if (reservation.IsReturned)
            {
                return;
            }
            var now = _time.GetTimestamp();
            _progressAt = now;
            _steps.OnHeard(now);
            _meter.OnFirstToken(reservation);
            _ledger.EndPrefill(reservation);
            (isAwaited, reservation.IsAwaited, reservation.IsPromptComputed) = (reservation.IsAwaited, false, true);
            Interlocked.Increment(ref _roomVersion);
            shrank = _ledger.Grow(reservation, generatedTokens, remainingTokens);
        }
        if (shrank || isAwaited)
        {
            OnRoomReturned();
        }
    }

    internal bool TryAwaitPrompt(LoadReservation reservation)
    {
        lock (_gate)
        {
            return reservation.IsAwaited = !reservation.IsReturned && !reservation.IsPromptComputed;
        }
    }

    internal void Learn(LoadReservation reservation, in ServedAnswer answer)
    {
        lock (_gate)
        {
            // What is only read was made before, in another time than this.
            if (!reservation.IsReturned && !reservation.Load.IsRead)
            {
                _meter.OnAnswered(reservation, answer);
            }
        }
    }

    internal void Return(LoadReservation reservation)
    {
        lock (_gate)
        {
            if (reservation.IsReturned)
            {
                return;
            }
            reservation.IsReturned = true;
            _meter.OnReturned(reservation);
            _ledger.Remove(reservation);
            _steps.OnHeard(_time.GetTimestamp());
            reservation.Holder?.Remove(reservation.Held);
        }
        OnRoomReturned();
    }

    private void OnRoomReturned()
    {
        Interlocked.Increment(ref _roomVersion);
        RoomReturned?.Invoke();
    }
}
