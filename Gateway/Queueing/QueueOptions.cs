using System.ComponentModel.DataAnnotations;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>Limits on waiting, per model pool. Takes effect on reload.</summary>
public sealed record QueueOptions
{
    /// <summary>Name of the order in which waiting requests get their turn, within a priority class.</summary>
    public string Order { get; init; } = "boost";

    /// <summary>Whether clients share the turns by what they were served, each by its tenant's weight; the order then decides among one client's requests.</summary>
    public FairnessMode Fairness { get; init; } = FairnessMode.Off;

    /// <summary>Tokens that each client may be served, per unit of weight, before the others have had theirs, under the fairness <c>dlpm</c>.</summary>
    [Range(256, 10_000_000)]
    public int FairnessQuantumTokens { get; init; } = 16_384;

    /// <summary>Under a fairness: the largest share of each replica's room, and of the engines' time for prompts, that a client which floods leaves free for what the others held lately; at most 0.3 where it is only ahead of the others, not beyond what it usually sends. 0: none.</summary>
    [Range(0.0, 0.9)]
    public double FairnessHeadroom { get; init; } = 0.5;

    /// <summary>What keeps requests from being passed for ever: the order's own guard, or promotion.</summary>
    public RescueMode Rescue { get; init; } = RescueMode.Own;

    /// <summary>γ of the order <c>boost</c>, per second: small acts like shortest first, large like first come. Null: it follows the waits of late.</summary>
    [Range(0.001, 100.0)]
    public double? BoostPerSecond { get; init; }

    /// <summary>Longest wait under the orders <c>sjf</c>, <c>wspt</c>, <c>lamps</c> and <c>mlfq</c>, and of one client's requests under <c>dlpm</c>, before the oldest goes first; the
    /// span between two promotions; after it a request keeps the place that it gets.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan OldestFirstAfter { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long smaller requests may pass one whose turn it is and that fits nowhere; then one replica's room is kept for it. Zero: nobody passes.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan OvertakingLimit { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait for another request that computes the same beginning of a prompt at the same replica, instead of computing it twice. Zero: nobody waits for it.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan SiblingWait { get; init; } = TimeSpan.Zero;

    /// <summary>Name of the rule by which a replica takes one more request: <c>past_future</c> by KV room, <c>window</c> by a number, <c>none</c> at once.</summary>
    public string Admission { get; init; } = "past_future";

    /// <summary>Requests in flight at each replica under the rule <c>window</c>.</summary>
    [Range(1, 100_000)]
    public int WindowRequests { get; init; } = 64;

    /// <summary>Requests that may wait; the next one is refused with 429. Those already sent once find a place beyond it.</summary>
    [Range(1, 1_000_000)]
    public int MaxWaiting { get; init; } = 1_000;

    /// <summary>Body bytes that waiting requests may hold together.</summary>
    [Range(1_048_576L, 68_719_476_736L)]
    public long MaxWaitingBytes { get; init; } = 256L << 20;

    /// <summary>Longest wait for a turn; then 429.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan MaxWait { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether a request that can by no luck meet its own deadline is refused at once. Nothing is refused on the word of rates that are not learned yet.</summary>
    public bool RefuseLate { get; init; } = true;

    /// <summary>Whether a first token that is wanted by a time counts as a deadline too.</summary>
    public bool HardTtftSlo { get; init; }

    /// <summary>Within what time a request's first token must come, from its arrival; null: no time binds.</summary>
    internal TimeSpan? HardTtftOf(InferenceRequest request) => HardTtftSlo ? Classes.TtftTargetOf(request) : null;

    /// <summary>What the requests of each class are meant to get.</summary>
    public ClassesOptions Classes { get; init; } = new();

    /// <summary>Share of a replica's KV room that is given out; the rest absorbs estimates that were too low.</summary>
    [Range(0.05, 1.0)]
    public double CapacityShare { get; init; } = 0.97;

    /// <summary>Whether that share follows the preemptions that an engine counts: up by 0.02 at most while there are none, down by 0.1 at most when there are too many.</summary>
    public bool SteersCapacityShare { get; init; } = true;

    /// <summary>Share of turns that the lower priority classes get together even while higher ones wait.</summary>
    [Range(0.0, 0.9)]
    public double ReservedShare { get; init; } = 0.1;

    /// <summary>Whether a more urgent request that finds no room may take the place of one of a lower class.</summary>
    public PreemptMode Preempt { get; init; } = PreemptMode.Off;

    /// <summary>An answer that has begun may be stopped only while it has no more than this share of its expected length.</summary>
    [Range(0.0, 1.0)]
    public double PreemptLimit { get; init; } = 0.8;
}

/// <summary>How clients share the turns.</summary>
public enum FairnessMode
{
    /// <summary>Not by who asks.</summary>
    Off,

    /// <summary>Who was served least goes first.</summary>
    Vtc,

    /// <summary>Everybody gets a quantum in each round; of those who have some left, the longest cached prompt goes first.</summary>
    Dlpm,
}

/// <summary>What keeps requests from being passed for ever.</summary>
public enum RescueMode
{
    /// <summary>The order's own guard.</summary>
    Own,

    /// <summary>With every <see cref="QueueOptions.OldestFirstAfter"/> that a request waited, it goes before all that waited fewer.</summary>
    Promotion,
}
