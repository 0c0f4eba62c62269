using System.Globalization;
using Gateway.Queueing;

namespace Gateway.Dashboard;

/// <summary>A decision's why, in a sentence for people: on the status page, and in <c>/-/explain</c>.</summary>
internal static class DecisionWords
{
    /// <summary>Why a decision was made as it was.</summary>
    public static string Why(Decision decision)
    {
        var why = decision.Outcome == AdmissionOutcome.Admitted ? WhyThere(decision) : WhyRefused(decision.Outcome);
        return decision.HeldFor == HoldReason.None ? why : $"{why} It had to wait {WaitsFor(decision.HeldFor)}.";
    }

    /// <summary>What became of a request in one word: sent, refused, or left, where its client was gone before either.</summary>
    public static string Ending(AdmissionOutcome outcome) => outcome switch
    {
        AdmissionOutcome.Admitted => "sent",
        AdmissionOutcome.CanceledByClient => "left",
        _ => "refused",
    };

    private static string WhyThere(Decision decision) => decision.Reason switch
    {
        PlacementReason.OnlyChoice => "The only replica with room.",
        PlacementReason.Prefix => string.Create(CultureInfo.InvariantCulture, $"It has {decision.PrefixHitTokens} tokens of the prompt in its cache."),
        PlacementReason.Copy => "Many ask for the beginning of its prompt, which is to be held here, too.",
        PlacementReason.Session => "It holds the conversation.",
        _ => "Least cost among the replicas with room.",
    };

    /// <summary>What a request waits for, to stand behind "it had to wait" or "it has to".</summary>
    public static string WaitsFor(HoldReason hold) => hold switch
    {
        HoldReason.Room => "for room at a replica that takes work",
        HoldReason.Turn => "for its turn: others were there before",
        HoldReason.Recovery => "for a replica that takes work again",
        HoldReason.Favourite => "for the full replica that holds the beginning of its prompt, which is cheaper than another",
        HoldReason.Headroom => "for room within its client's share: the rest is kept for others",
        HoldReason.Sibling => "for the beginning of its prompt, which is being computed for another, and is computed once",
        _ => "for room that is not kept for one that was overtaken long enough",
    };

    /// <summary>Why a request gets no turn.</summary>
    public static string WhyRefused(AdmissionOutcome outcome) => outcome switch
    {
        AdmissionOutcome.RejectedQueueFull => "The queue holds as much as it may.",
        AdmissionOutcome.RejectedTooLarge => "No replica could hold it even when empty.",
        AdmissionOutcome.RejectedNoReplica => "No replica takes work.",
        AdmissionOutcome.RejectedHolderGone => "The replica that can answer has left the fleet.",
        AdmissionOutcome.RejectedShuttingDown => "The gateway shuts down.",
        AdmissionOutcome.DeadlineExceeded => "Its deadline cannot be met, by the learned speed of the replicas and of the queue.",
        AdmissionOutcome.TimedOut => "The time that its client allows passed while it waited.",
        AdmissionOutcome.ExpiredInQueue => "It waited longer than the queue allows.",
        _ => "Its client left.",
    };
}
