using Gateway.Replicas;

namespace Gateway.Queueing;

/// <summary>Lets smaller requests pass a head that fits nowhere, for a bounded time; then one replica's room is kept for it until it fits. Guarded by its dispatcher's lock.</summary>
internal sealed class Overtaking(Eligibility eligibility)
{
    private Waiter? _overtaken;
    private Waiter? _drainedFor;
    private Replica? _drained;

    /// <summary>The one that room is kept for: asked before all others, whatever the order says meanwhile. Null: none.</summary>
    public Waiter? Favoured => _overtaken is { IsDecided: false } waits ? waits : null;

    /// <summary>The replica that a request may not take; null: none.</summary>
    /// <param name="waiter">The request; null: one that does not wait.</param>
    public Replica? KeptFrom(Waiter? waiter) => Favoured is { } favoured && favoured == _drainedFor && favoured != waiter ? _drained : null;

    /// <summary>Notes that a head found no room, and keeps a replica for it once it has been overtaken long enough.</summary>
    /// <param name="head">Whose turn it is.</param>
    /// <param name="now">Time since the core started.</param>
    /// <param name="limit">How long others may pass; zero: never.</param>
    /// <returns>Whether others may be tried.</returns>
    public bool OnFitsNowhere(Waiter head, TimeSpan now, TimeSpan limit)
    {
        if (limit <= TimeSpan.Zero)
        {
            return false;
        }
        if (Favoured is null && now - head.OvertakenAt >= limit)
        {
            _overtaken = head;
        }
        if (Favoured is { } favoured && (_drainedFor != favoured || _drained?.Health != ReplicaHealth.Up))
        {
            (_drained, _drainedFor) = (eligibility.Emptiest(favoured), favoured);
        }
        return true;
    }

    /// <summary>Whether a request may fit where the head did not.</summary>
    public static bool IsSmaller(Waiter waiter, Waiter head) =>
        waiter.Estimate.PromptTokens < head.Estimate.PromptTokens || waiter.Estimate.OutputTokens < head.Estimate.OutputTokens;
}
