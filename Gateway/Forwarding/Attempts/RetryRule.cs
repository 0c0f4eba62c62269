namespace Gateway.Forwarding.Attempts;

/// <summary>Whether a failed attempt is followed by another: the failure allows it, the body can be sent again, there is time left, and the budget has one left.</summary>
internal static class RetryRule
{
    /// <param name="result">The attempt.</param>
    /// <param name="outgoing">The request.</param>
    /// <param name="turns">What was tried before.</param>
    /// <param name="upstream">Its pool, whose budget may be taken from.</param>
    public static bool Allows(in AttemptResult result, OutgoingRequest outgoing, Turns turns, UpstreamPool upstream)
    {
        if (result is not { Failure: { MayRetry: true } failure, IsTurnedAway: false } || outgoing.HasNoTimeLeft(upstream.Time))
        {
            return false;
        }
        var body = outgoing.Request.Body;
        // Only one replica holds what the request refers to.
        if (body.PreviousResponseKey != 0)
        {
            return false;
        }
        // If the answer was lost, a stored or background response may exist already; and the part of an upload that was sent is gone. Such requests are repeated only if they never
        // reached an engine.
        if ((body.IsPinned || outgoing.Body.Rest is not null) && !failure.IsUnsent)
        {
            return false;
        }
        // What makes two engines fail is likely the request itself.
        if (IsCrash(failure) && turns.Retried.Any(IsCrash))
        {
            return false;
        }
        // At most as many requests are lost at once as an engine had when it died, and its replica is suspended after a few: the first retry needs no budget if another
        // replica can take it.
        return (failure.IsLoss && turns.Retried.All(static earlier => earlier.Kind == FailureKind.Preempted) && upstream.HasOther(turns.Tried)) || upstream.Budget.TryTake();
    }

    private static bool IsCrash(AttemptFailure failure) => failure is { Kind: FailureKind.EngineError, Status: 500 };
}
