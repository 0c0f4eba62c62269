using Gateway.Api;
using Gateway.Forwarding;
using Gateway.Forwarding.Attempts;
using Gateway.Queueing;
using Gateway.Requests;

namespace Gateway;

/// <summary>One model's failure to serve a request, while nothing was sent to the client.</summary>
/// <param name="Problem">What the client is told if nobody else serves it.</param>
/// <param name="AllowsFallback">Whether another model may try: what is the client's own doing, or the time's, stays so there.</param>
internal sealed record Miss(ApiProblem Problem, bool AllowsFallback)
{
    /// <summary>Whether the model left the configuration before anybody answered: who has its name now may serve the request as if it had just come.</summary>
    public bool HasLeft { get; init; }

    /// <summary>Whether the request can be served by another model at all: what it refers to lives at this one.</summary>
    public static bool MayMove(InferenceRequest request) => request.Body.PreviousResponseKey == 0;

    /// <summary>Whether an attempt that failed leaves the request fit for another model, and time for it. A refusal of its content is never got round.</summary>
    public static bool MayMove(OutgoingRequest outgoing, AttemptFailure failure, TimeProvider time) =>
        !outgoing.HasNoTimeLeft(time)
        && (failure.IsUnsent || MayAskAgain(outgoing))
        && (failure.MayRetry || failure.IsContextLength || failure.Kind is FailureKind.Timeout or FailureKind.Unauthorized);

    /// <summary>Whether a request that an engine may have seen can be sent once more: no part of it is gone, and it leaves nothing behind there.</summary>
    public static bool MayAskAgain(OutgoingRequest outgoing) => outgoing.Body.Rest is null && !outgoing.Request.Body.IsPinned;

    /// <summary>Whether a model had no replica or no room.</summary>
    public static bool IsExhausted(AdmissionOutcome outcome) => outcome
        is AdmissionOutcome.RejectedNoReplica or AdmissionOutcome.RejectedQueueFull or AdmissionOutcome.ExpiredInQueue or AdmissionOutcome.RejectedTooLarge;
}
