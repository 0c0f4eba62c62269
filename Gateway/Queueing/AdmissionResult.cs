using Gateway.Replicas;

namespace Gateway.Queueing;

/// <summary>How a wait for a turn ended.</summary>
public enum AdmissionOutcome
{
    /// <summary>A replica and its room.</summary>
    Admitted,

    /// <summary>The queue holds as much as it may.</summary>
    RejectedQueueFull,

    /// <summary>No replica could hold the request even when empty.</summary>
    RejectedTooLarge,

    /// <summary>No replica gets work now.</summary>
    RejectedNoReplica,

    /// <summary>The one replica that can answer has left the fleet.</summary>
    RejectedHolderGone,

    /// <summary>The gateway is going down.</summary>
    RejectedShuttingDown,

    /// <summary>The request's own deadline passed while it waited.</summary>
    DeadlineExceeded,

    /// <summary>The time that its client allows for all of it passed while it waited.</summary>
    TimedOut,

    /// <summary>It waited longer than the queue allows.</summary>
    ExpiredInQueue,

    /// <summary>The client left.</summary>
    CanceledByClient,
}

/// <summary>Why a replica was chosen, for the metric of decisions.</summary>
public enum PlacementReason
{
    /// <summary>None was chosen.</summary>
    None,

    /// <summary>It was the only one with room.</summary>
    OnlyChoice,

    /// <summary>It holds the beginning of the prompt.</summary>
    Prefix,

    /// <summary>It is to hold a beginning that many ask for, as others do already.</summary>
    Copy,

    /// <summary>It holds the session.</summary>
    Session,

    /// <summary>It has the least work.</summary>
    LeastLoad,
}

/// <summary>Why a request had to wait, for the metric of holds.</summary>
public enum HoldReason
{
    /// <summary>It did not wait.</summary>
    None,

    /// <summary>Every replica that takes work is full.</summary>
    Room,

    /// <summary>Others were before it.</summary>
    Turn,

    /// <summary>No replica takes work yet: they back off, or were not probed.</summary>
    Recovery,

    /// <summary>There was room, but a full replica holds so much of the prompt that waiting for it is cheaper.</summary>
    Favourite,

    /// <summary>There was room, but it is kept for one that was overtaken long enough.</summary>
    Drain,

    /// <summary>There was room, but its client holds more than its share of it, or of the engines' time for prompts, and the rest is kept for the others.</summary>
    Headroom,

    /// <summary>There was room, but the beginning of its prompt is being computed for another: sent now, it would be computed twice.</summary>
    Sibling,
}

/// <summary>What a second policy would have chosen as things stood.</summary>
/// <param name="Replica">Where it would have put the request.</param>
/// <param name="RegretSeconds">Forecast by which this answer would have ended earlier there; negative: later. What others would have felt is not in it.</param>
public readonly record struct Deviation(Replica Replica, double RegretSeconds);

/// <summary>The end of a wait for a turn.</summary>
public readonly record struct AdmissionResult
{
    public required AdmissionOutcome Outcome { get; init; }

    /// <summary>The replica's room; the receiver disposes it. Null unless admitted.</summary>
    public LoadReservation? Reservation { get; init; }

    /// <summary>The place, where it may have to be given up to a more urgent request; null: it is kept.</summary>
    public Seat? Seat { get; init; }

    /// <summary>What the order charged in advance; the receiver settles it with <see cref="Dispatcher.Settle"/>.</summary>
    public ServedTokens Charged { get; init; }

    public PlacementReason Reason { get; init; }

    /// <summary>What the second policy would have chosen among the same replicas; null: there is no second policy.</summary>
    public Deviation? Shadow { get; init; }

    /// <summary>Why it waited.</summary>
    public HoldReason HeldFor { get; init; }

    /// <summary>The request's key in the engine's own scale; null: the engine does not schedule by one, or the order has none that is constant.</summary>
    public int? EnginePriority { get; init; }

    /// <summary>Prompt tokens believed to be in the chosen replica's prefix cache.</summary>
    public int PrefixHitTokens { get; init; }

    /// <summary>How long ago the chosen replica was last sent that part of the prompt; zero where none is believed.</summary>
    public TimeSpan PrefixHitAge { get; init; }

    /// <summary>Time from entering to this decision.</summary>
    public TimeSpan Waited { get; init; }

    /// <summary>When asking again may help; null: it will not.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
