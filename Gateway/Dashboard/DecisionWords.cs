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
        return decision.HeldFor == HoldReason.None ? why : $"{why} It had to wait: {WhyHeld(decision.HeldFor)}.";
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
        PlacementReason.Session => "It holds the conversation.",
        _ => "Least cost among the replicas with room.",
    };

    private static string WhyHeld(HoldReason hold) => hold switch
    {
        HoldReason.Room => "no replica had room",
        HoldReason.Turn => "others were before it",
        HoldReason.Recovery => "no replica took work",
        HoldReason.Favourite => "the replica with its prompt cached was full, and waiting for it was cheaper",
        HoldReason.Headroom => "its client holds more than its share, and the rest of the room was kept for others",
        HoldReason.Sibling => "the beginning of its prompt was being computed for another, and is computed once",
        _ => "room was kept for one that was overtaken long enough",
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
