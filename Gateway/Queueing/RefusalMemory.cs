using Gateway.Replicas;

namespace Gateway.Queueing;

/// <summary>Remembers at which replicas a waiting request found no room while nothing changed there since: they need not be asked again. Guarded by its dispatcher's lock.</summary>
internal sealed class RefusalMemory
{
    private Slot[] _slots = new Slot[16];
    private DispatchPlan? _plan;
    private long _changes;

    /// <summary>A change of what is in force may let in anyone.</summary>
    public void Follow(DispatchPlan plan)
    {
        if (_plan != plan)
        {
            _plan = plan;
            Array.Clear(_slots);
        }
    }

    /// <summary>Whether a request was refused there and would be again. Notes the replica's last change.</summary>
    /// <param name="replica">The replica.</param>
    /// <param name="refusedAt">What <see cref="Now"/> was when the request was last refused everywhere; 0: never.</param>
    public bool StillRefuses(Replica replica, long refusedAt)
    {
        if (replica.Slot >= _slots.Length)
        {
            Array.Resize(ref _slots, Math.Max(2 * _slots.Length, replica.Slot + 1));
        }
        ref var slot = ref _slots[replica.Slot];
        var version = replica.RoomVersion;
        if (slot.Replica != replica || slot.Version != version)
        {
            slot = new Slot(replica, version, ++_changes);
        }
        return slot.ChangedAt <= refusedAt;
    }

    /// <summary>Number of the last change; a request that is refused everywhere now keeps it.</summary>
    public long Now => _changes;

    private readonly record struct Slot(Replica Replica, int Version, long ChangedAt);
}
