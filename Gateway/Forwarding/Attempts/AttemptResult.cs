using System.Net.Http;

namespace Gateway.Forwarding.Attempts;

/// <summary>What an attempt came to: an answer for the client, or a failure.</summary>
/// <param name="Exchange">Whose attempt it was.</param>
/// <param name="Attempt">The attempt; of two that ran side by side, the one that stays.</param>
/// <param name="Response">Null when it failed.</param>
/// <param name="Failure">Null when it did not.</param>
internal readonly record struct AttemptResult(Exchange Exchange, Attempt Attempt, HttpResponseMessage? Response, AttemptFailure? Failure)
{
    /// <summary>Whether the answer is an event stream.</summary>
    public bool IsEventStream { get; init; }

    /// <summary>Whether it is one that another attempt could go on with.</summary>
    public bool MayContinue { get; init; }

    /// <summary>Whether no turn was given for a further attempt, so that none follows, whatever the failure.</summary>
    public bool IsTurnedAway { get; init; }
}
