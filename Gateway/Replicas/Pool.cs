namespace Gateway.Replicas;

/// <summary>One engine's place: where it is and how it was configured.</summary>
/// <param name="Id">Name in headers, labels and ops paths; unique in the pool.</param>
/// <param name="Address">Base address, with an optional path prefix.</param>
/// <param name="Options">As configured.</param>
public sealed record ReplicaPlace(string Id, Uri Address, ReplicaOptions Options);

/// <summary>The replicas of one model. Thread-safe; readers see an immutable array that is swapped whole.</summary>
public sealed class Pool
{
    // How long a drain is remembered after its replica left: a name that fails to resolve for a moment must not end it, and what appears at the address much later is another engine.
    private static readonly TimeSpan DrainKept = TimeSpan.FromMinutes(5);

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly List<bool> _slotTaken = [];
    private readonly Dictionary<(string Id, Uri Address), long> _drainedAt = [];
    private FaultLimits _faults;
    private ModelOptions _options;
    private Replica[] _replicas = [];

    public Pool(ModelOptions options, FaultLimits faults, TimeProvider time)
    {
        _options = options;
        _faults = faults;
        _time = time;
    }

    /// <summary>Raised outside every lock after replicas came or went, or room returned somewhere.</summary>
    public event Action? RoomReturned;

    /// <summary>Raised outside every lock with the slot of a replica that left, before that slot is given to another.</summary>
    public event Action<int>? SlotFreed;

    /// <summary>Raised outside every lock with the slot of a replica whose engine was started anew.</summary>
    public event Action<int>? SlotRestarted;

    /// <summary>The pool's name: the model's.</summary>
    public string Name => Volatile.Read(ref _options).Name;

    public ModelOptions Options => Volatile.Read(ref _options);

    /// <summary>The replicas in service, draining ones included.</summary>
    public ReadOnlySpan<Replica> Replicas => Volatile.Read(ref _replicas);

    /// <summary>The replicas as an array that is never written.</summary>
    public IReadOnlyList<Replica> ReplicaList => Volatile.Read(ref _replicas);

    /// <summary>Longest prompt and answer together: as configured, else the smallest that a replica reports; null: unknown.</summary>
    public int? ContextTokens
    {
        get
        {
            if (Options.ContextTokens is { } configured)
            {
                return configured;
            }
            int? smallest = null;
            foreach (var replica in Replicas)
            {
                if (replica.Report.ContextTokens is { } context && (smallest is null || context < smallest))
                {
                    smallest = context;
                }
            }
            return smallest;
        }
    }

    /// <summary>Whether a replica may get work now.</summary>
    public bool CanServe
    {
        get
        {
            foreach (var replica in Replicas)
            {
                if (replica.Health == ReplicaHealth.Up)
                {
                    return true;
                }
            }
            return false;
        }
    }

    public Replica? Find(string id)
    {
        foreach (var replica in Replicas)
        {
            if (replica.Id == id)
            {
                return replica;
            }
        }
        return null;
    }

    /// <summary>The replica that has a slot now; null: none.</summary>
    public Replica? At(int slot)
    {
        foreach (var replica in Replicas)
        {
            if (replica.Slot == slot)
            {
                return replica;
            }
        }
        return null;
    }

    /// <summary>Takes over changed settings of the model; the replicas change by <see cref="SetReplicas"/>.</summary>
    public void Reconfigure(ModelOptions options, FaultLimits faults)
    {
        lock (_gate)
        {
            _options = options;
            _faults = faults;
        }
    }

    /// <summary>Brings the pool to exactly these replicas: those that stay keep their ledger, those that leave finish what runs, and are still drained if they were and come back soon. Of two places with one id the first counts.</summary>
    public void SetReplicas(IReadOnlyList<ReplicaPlace> places)
    {
        List<Replica> leaving = [];
        List<(Replica Replica, ReplicaOptions Options)> staying = [];
        FaultLimits faults;
        places = [.. places.DistinctBy(place => place.Id)];
        lock (_gate)
        {
            faults = _faults;
            var next = new Replica[places.Count];
            var current = _replicas.ToDictionary(replica => replica.Id);
            for (var i = 0; i < places.Count; i++)
            {
                var place = places[i];
                if (current.Remove(place.Id, out var kept) && kept.Address == place.Address)
                {
                    staying.Add((kept, place.Options));
                    next[i] = kept;
                    continue;
                }
                if (kept is not null)
                {
                    leaving.Add(kept);
                }
                next[i] = new Replica(place.Options, place.Address, place.Id, TakeSlotLocked(), faults, _time) { IsLast = IsLast };
                next[i].RoomReturned += TellRoomReturned;
                next[i].Restarted += RestartedOf(next[i]);
            }
            leaving.AddRange(current.Values);
            KeepDrainsLocked(leaving, next);
            Volatile.Write(ref _replicas, next);
        }
        foreach (var (replica, options) in staying)
        {
            replica.Reconfigure(options, faults);
        }
        foreach (var replica in leaving)
        {
            replica.SetDraining(true);
        }
        foreach (var replica in leaving)
        {
            SlotFreed?.Invoke(replica.Slot);
            lock (_gate)
            {
                _slotTaken[replica.Slot] = false;
            }
        }
        TellRoomReturned();
    }

    /// <summary>Raises <see cref="RoomReturned"/> once for several replicas whose room changed together.</summary>
    internal void TellRoomReturned() => RoomReturned?.Invoke();

    // One that left may be read once more: its slot is another's by then.
    private Action RestartedOf(Replica replica) => () =>
    {
        if (ReplicaList.Contains(replica))
        {
            SlotRestarted?.Invoke(replica.Slot);
        }
    };

    private void KeepDrainsLocked(List<Replica> leaving, Replica[] next)
    {
        foreach (var (place, at) in _drainedAt)
        {
            if (_time.GetElapsedTime(at) > DrainKept)
            {
                _drainedAt.Remove(place);
            }
        }
        foreach (var replica in next)
        {
            if (_drainedAt.Remove((replica.Id, replica.Address)))
            {
                replica.BeginDrained();
            }
        }
        foreach (var replica in leaving)
        {
            if (replica.Health == ReplicaHealth.Draining)
            {
                _drainedAt[(replica.Id, replica.Address)] = _time.GetTimestamp();
            }
        }
    }

    private int TakeSlotLocked()
    {
        var slot = _slotTaken.IndexOf(false);
        if (slot < 0)
        {
            slot = _slotTaken.Count;
            _slotTaken.Add(true);
        }
        _slotTaken[slot] = true;
        return slot;
    }

    // The last working replica is not suspended, unless fallback models can take its requests.
    private bool IsLast(Replica replica)
    {
        if (Options.Fallbacks.Count > 0)
        {
            return false;
        }
        foreach (var other in Replicas)
        {
            if (other != replica && other.IsTrusted)
            {
                return false;
            }
        }
        return true;
    }
}
