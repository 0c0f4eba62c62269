using Gateway.Replicas;

namespace Gateway.Queueing;

/// <summary>Remembers at which replicas a waiting request found no room while nothing changed there since: they need not be asked again. Guarded by its dispatcher's lock.</summary>
internal sealed class RefusalMemory
{
    private Slot[] _slots = new Slot[16];
    private DispatchPlan? _plan;
    private int _count;

    /// <summary>Number of the last change; a request that is refused everywhere now keeps it.</summary>
    public long Now { get; private set; }

    /// <summary>Number of the last change of which replicas there are, or of the context of one: of what any of them could ever hold.</summary>
    public long Fleet { get; private set; }

    /// <summary>Replicas at the last look.</summary>
    public int Count => _count;

    /// <summary>A replica of the last look.</summary>
    public Replica this[int index] => _slots[index].Replica;

    /// <summary>Notes which replicas there are and which of them changed. A change of what is in force may let in anyone, anywhere.</summary>
    public void Look(ReadOnlySpan<Replica> replicas, DispatchPlan plan)
    {
        if (_plan != plan || replicas.Length > _slots.Length)
        {
            (_plan, _slots) = (plan, new Slot[Math.Max(_slots.Length, replicas.Length)]);
        }
        Fleet += _count == replicas.Length ? 0 : 1;
        _count = replicas.Length;
        for (var i = 0; i < replicas.Length; i++)
        {
            var version = replicas[i].RoomVersion;
            ref var slot = ref _slots[i];
            if (slot.Replica != replicas[i] || slot.Version != version)
            {
                var context = replicas[i].Report.ContextTokens;
                Fleet += slot.Replica == replicas[i] && slot.ContextTokens == context ? 0 : 1;
                slot = new Slot(replicas[i], version, context, ++Now);
            }
        }
    }

    /// <summary>Whether a request was refused there and would be again.</summary>
    /// <param name="index">The replica's, at the last look.</param>
    /// <param name="refusedAt">What <see cref="Now"/> was when the request was last refused everywhere; 0: never.</param>
    public bool StillRefuses(int index, long refusedAt) => _slots[index].ChangedAt <= refusedAt;

    private readonly record struct Slot(Replica Replica, int Version, int? ContextTokens, long ChangedAt);
}
