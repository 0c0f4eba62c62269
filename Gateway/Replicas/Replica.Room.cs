namespace Gateway.Replicas;

/// <content>What room there is, and taking it.</content>
public sealed partial class Replica
{
    /// <summary>All fields under one lock.</summary>
    public ReplicaSnapshot Snapshot()
    {
        lock (_gate)
        {
            return SnapshotLocked(hasRoom: true);
        }
    }

    /// <summary>All fields under one lock, and whether a request would find room.</summary>
    /// <param name="load">What the request will occupy.</param>
    /// <param name="rule">Who may go.</param>
    /// <param name="capacityShare">Share of the KV room that may be given out, 0 to 1.</param>
    public ReplicaSnapshot Snapshot(in LoadProfile load, IAdmissionRule rule, double capacityShare)
    {
        lock (_gate)
        {
            return SnapshotLocked(HasRoomLocked(load, rule, capacityShare));
        }
    }

    /// <summary>Whether a request would find room now.</summary>
    /// <param name="load">What the request will occupy.</param>
    /// <param name="rule">Who may go.</param>
    /// <param name="capacityShare">Share of the KV room that may be given out, 0 to 1.</param>
    public RoomVerdict RoomFor(in LoadProfile load, IAdmissionRule rule, double capacityShare)
    {
        lock (_gate)
        {
            return RoomForLocked(load, rule, capacityShare);
        }
    }

    /// <summary>Whether a request would find room now, and if so all fields, under one lock: nothing is copied of a full replica.</summary>
    /// <param name="load">What the request will occupy.</param>
    /// <param name="rule">Who may go.</param>
    /// <param name="capacityShare">Share of the KV room that may be given out, 0 to 1.</param>
    /// <param name="snapshot">Set where there is room.</param>
    public RoomVerdict RoomFor(in LoadProfile load, IAdmissionRule rule, double capacityShare, ref ReplicaSnapshot snapshot)
    {
        lock (_gate)
        {
            var verdict = RoomForLocked(load, rule, capacityShare);
            if (verdict == RoomVerdict.Room)
            {
                snapshot = SnapshotLocked(hasRoom: true);
            }
            return verdict;
        }
    }

    /// <summary>Whether a request would find room if some of those in flight had left.</summary>
    /// <param name="leaving">Reservations of this replica; those returned already are not there.</param>
    /// <param name="load">What the request will occupy.</param>
    /// <param name="rule">Who may go.</param>
    /// <param name="capacityShare">Share of the KV room that may be given out, 0 to 1.</param>
    public bool HasRoomWithout(ReadOnlySpan<LoadReservation> leaving, in LoadProfile load, IAdmissionRule rule, double capacityShare)
    {
        lock (_gate)
        {
            var removed = 0;
            foreach (var reservation in leaving)
            {
                if (!reservation.IsReturned)
                {
                    _ledger.Remove(reservation);
                    removed++;
                }
            }
            var hasRoom = RoomForLocked(load, rule, capacityShare) == RoomVerdict.Room;
            foreach (var reservation in leaving)
            {
                if (!reservation.IsReturned)
                {
                    reservation.SharedTokens = 0;
                    _ledger.Add(reservation);
                }
            }
            return hasRoom && removed > 0;
        }
    }

    /// <summary>Takes room for a request, or none: null means that the replica is full or gets no work. Only the dispatcher calls it.</summary>
    /// <param name="load">What the request will occupy.</param>
    /// <param name="rule">Who may go.</param>
    /// <param name="capacityShare">Share of the KV room that may be given out, 0 to 1.</param>
    public LoadReservation? TryReserve(in LoadProfile load, IAdmissionRule rule, double capacityShare)
    {
        lock (_gate)
        {
            if (RoomForLocked(load, rule, capacityShare) != RoomVerdict.Room)
            {
                return null;
            }
            _faults.OnSent();
            var reservation = new LoadReservation(this, OwnLocked(load));
            var stepBeganAt = _steps.BeganAt;
            _steps.OnSent(load.UncachedTokens, isIdle: _ledger.Requests + _peers.Requests == 0, _time.GetTimestamp());
            _ledger.Add(reservation);
            _meter.OnSent(reservation, stepBeganAt, _ledger.UnheardPrefillTokens);
            Interlocked.Increment(ref _roomVersion);
            return reservation;
        }
    }

    /// <summary>Whether the request could ever fit, were the replica empty; an empty replica always admits, so only limits of the engine count.</summary>
    public bool CouldFit(int promptTokens) => Report.ContextTokens is not { } context || promptTokens < context;

    private long? CapacityLocked() => _options.KvTokens ?? _report.KvCapacityTokens ?? _learned.Tokens;

    // Most replicas have no pause, and reading the clock would cost more than everything else here.
    private ForeignLoad ForeignLocked() =>
        _foreign.Current is var foreign && foreign != default && _time.GetElapsedTime(_report.ReadAt) < ForeignLoadWatch.Stale ? foreign : default;

    // All that a report can change about which requests fit.
    private (long?, int?, int?, ForeignLoad, double) RoomLocked() => (CapacityLocked(), SlotLimitLocked(), _report.ContextTokens, _foreign.Current, _steering.Correction);

    private ReplicaSnapshot SnapshotLocked(bool hasRoom) => new()
    {
        Id = Id,
        Slot = Slot,
        Health = HealthLocked(),
        RunningRequests = _ledger.Requests + _peers.Requests,
        RunningSequences = _ledger.Sequences + _peers.Sequences,
        ReservedTokens = _ledger.ReservedTokens + _peers.ReservedTokens,
        CapacityTokens = CapacityLocked(),
        SlotLimit = SlotLimitLocked(),
        QueuedPrefillTokens = _ledger.QueuedPrefillTokens + _peers.QueuedPrefillTokens,
        UnheardPrefillTokens = _ledger.UnheardPrefillTokens + _peers.QueuedPrefillTokens,
        JoiningPrefillTokens = _steps.JoiningTokens,
        StepBeganAt = _steps.BeganAt,
        OutstandingTokens = _ledger.OutstandingTokens + _peers.OutstandingTokens,
        Peers = _peers,
        Weight = _options.Weight,
        Rates = _meter.Rates,
        Report = _report,
        HasRoom = hasRoom,
    };

    private int? SlotLimitLocked() => _options.Slots ?? _report.Slots;

    private RoomVerdict RoomForLocked(in LoadProfile load, IAdmissionRule rule, double capacityShare) =>
        HealthLocked(load.IsRead) != ReplicaHealth.Up ? RoomVerdict.NoWork
        : HasRoomLocked(load, rule, capacityShare) ? RoomVerdict.Room
        : RoomVerdict.Full;

    // Step times vary: if their mean were at the limit, half of the answers would be beyond it.
    private const double StepSafety = 1.1;

    // Whether every answer keeps its target of time per token with this request beside it. Nothing is held while step times are not learned, nor for a target that
    // the replica misses even with a single sequence. Delays by the prefill of other prompts are in the learned step time. With several gateways, each may always fill its
    // sure share of the sequences, as it may of the KV room.
    private bool StepFitsLocked(in LoadProfile load)
    {
        var (limit, rates) = (Math.Min(load.StepLimitSeconds, _ledger.StepLimits.Least), _meter.Rates);
        return double.IsPositiveInfinity(limit) || !rates.IsDecodeLearned || StepSafety * rates.StepSeconds(1) > limit
            || StepSafety * rates.DecodeSeconds(1, _ledger.Sequences + _peers.Sequences + load.Sequences) <= limit
            || (_gateways > 1 && StepSafety * rates.DecodeSeconds(1, (_ledger.Sequences * _gateways / SureShare) + load.Sequences) <= limit);
    }

    // Without a prefix cache each computes and holds its own copy of what prompts have in common.
    private LoadProfile OwnLocked(in LoadProfile load) => _report.CachesPrefixes == false ? load with { Blocks = [] } : load;

    // An empty replica always admits: a request that is larger than what is believed to be its room would otherwise wait for ever.
    private bool HasRoomLocked(in LoadProfile load, IAdmissionRule rule, double capacityShare)
    {
        if (_ledger.Requests == 0)
        {
            return true;
        }
        if (!StepFitsLocked(load))
        {
            return false;
        }
        var admits = AdmitsLocked(OwnLocked(load), rule, capacityShare);
        // What is kept free for others says nothing of how much there is.
        _wasFull |= !admits && load.Headroom <= 0;
        return admits;
    }
}
