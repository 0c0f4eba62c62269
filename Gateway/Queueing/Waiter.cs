using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>What a request brings to the queue beside itself.</summary>
/// <param name="Avoid">Replicas that already failed this request: chosen only while no other takes work.</param>
/// <param name="Pinned">The one replica that can answer (it holds a stored response); null: any.</param>
public sealed record Constraints(IReadOnlyList<Replica> Avoid, Replica? Pinned = null)
{
    public static readonly Constraints None = new([]);

    /// <summary>Whether another model can serve the request too: then it does not wait here for replicas that back off.</summary>
    public bool HasFallback { get; init; }

    /// <summary>Whether the request may have to give up its place to a more urgent one, and come back: its body can be sent again.</summary>
    public bool MayGiveUp { get; init; }

    /// <summary>Whether only room that is free at once will do: it does not wait, and takes neither a turn nor a place of those who do.</summary>
    public bool IsAtOnce { get; init; }

    /// <summary>The place that it had to give up: it comes back to where it stood in the queue. Null: it did not.</summary>
    public Seat? GaveUp { get; init; }

    /// <summary>Whether an attempt or a place came before this one: its client did not send another request.</summary>
    internal bool WasSent => Avoid.Count > 0 || GaveUp is not null;

    /// <summary>Whether a replica can answer at all.</summary>
    internal bool Allows(Replica replica) => Pinned is null || Pinned == replica;
}

/// <summary>One request waiting for its turn. Its state is the dispatcher's, under the dispatcher's lock.</summary>
public sealed class Waiter
{
    private readonly Dispatcher _dispatcher;

    internal Waiter(Dispatcher dispatcher, InferenceRequest request, in RequestEstimate estimate, Constraints constraints, Action<AdmissionResult> decided)
    {
        _dispatcher = dispatcher;
        Request = request;
        Estimate = estimate;
        Constraints = constraints;
        Decided = decided;
    }

    /// <summary>What waits.</summary>
    public InferenceRequest Request { get; }

    /// <summary>What it is expected to cost.</summary>
    public RequestEstimate Estimate { get; }

    /// <summary>When it came, since the core started: one that failed at a replica and comes back keeps its place.</summary>
    public TimeSpan ArrivedAt { get; internal set; }

    /// <summary>Its key by the order in force when it came, as of the last look at what is cached of its prompt.</summary>
    public double Rank { get; internal set; }

    /// <summary>The order that gave it its key; null: it was never ranked.</summary>
    internal IQueueOrder? RankedBy { get; set; }

    /// <summary>Tokens of its prompt that some replica held at the last look.</summary>
    internal int CachedTokens { get; set; }

    /// <summary>What it is expected to cost there.</summary>
    internal RequestEstimate Remaining => Estimate with { CachedTokens = CachedTokens };

    /// <summary>When the last look at what is cached was, by <see cref="Routing.PrefixIndex.Version"/>; 0: never.</summary>
    internal long LookedUpAt { get; set; }

    internal Constraints Constraints { get; }

    internal Action<AdmissionResult> Decided { get; }

    /// <summary>Only one replica can answer, or one that is full is worth waiting for: the request waits for that one, and nobody waits behind it.</summary>
    internal bool IsPinned => Constraints.Pinned is not null || IsAside;

    /// <summary>It waits by choice, beside the queue.</summary>
    internal bool IsAside => Favourite is not null || Leader is not null;

    /// <summary>The request in flight whose prompt begins like its own, while it waits for that one's first token; null: it does not.</summary>
    internal LoadReservation? Leader { get; set; }

    /// <summary>When it first waited for a leader; null: it has not.</summary>
    internal TimeSpan? HeldSince { get; set; }

    /// <summary>The full replica that holds its prompt's beginning and that it waits for; null: it does not, not yet, or no longer.</summary>
    internal Replica? Favourite { get; set; }

    /// <summary>Whether it waits, or has waited, for a favourite: it does so once.</summary>
    internal bool StoodAside { get; set; }

    /// <summary>Its place among those that wait for its favourite, or for its leader; null: it stands in no line.</summary>
    internal LinkedListNode<Waiter>? InLine { get; set; }

    /// <summary>Ends its wait for its favourite.</summary>
    internal ITimer? Patience { get; set; }

    internal long EnteredAt { get; set; }

    /// <summary>Longest time from arrival to a turn that still helps; null: any does.</summary>
    internal TimeSpan? LatestStart { get; set; }

    /// <summary>Its wait as foretold when it came; 0: it was not.</summary>
    internal double PredictedWaitSeconds { get; set; }

    internal long Sequence { get; set; }

    /// <summary>Place in its class's heap; -1 when it does not wait.</summary>
    internal int HeapIndex { get; set; } = -1;

    /// <summary>Its neighbours in its class by the time of entering.</summary>
    internal Waiter? Older { get; set; }

    internal Waiter? Newer { get; set; }

    /// <summary>When a smaller one first passed it because it fitted nowhere; null: not yet.</summary>
    internal TimeSpan? OvertakenAt { get; set; }

    /// <summary>When it last found no room anywhere, in the count of <see cref="RefusalMemory"/>; 0: never, or for another reason than room.</summary>
    internal long RefusedAt { get; set; }

    /// <summary>Whose demand it counts for while it waits; null: nobody's.</summary>
    internal RoomShares.Client? CountsFor { get; set; }

    /// <summary>Whether it counts already among the requests that its client sent: it waits, or was sent before.</summary>
    internal bool HasAsked => CountsFor is not null || Constraints.WasSent;

    /// <summary>How much of the pool it would take.</summary>
    internal PoolShares Shares { get; set; }

    internal ITimer? Expiry { get; set; }

    internal HoldReason HeldFor { get; set; }

    internal bool IsDecided { get; set; }

    /// <summary>Leaves the queue; the decision is <see cref="AdmissionOutcome.CanceledByClient"/> unless another was first.</summary>
    public void Cancel() => _dispatcher.Leave(this, AdmissionOutcome.CanceledByClient);
}
