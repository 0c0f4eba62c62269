using System.Net.Http;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace Gateway.Forwarding.Attempts;

/// <summary>Sends the attempts of one request, and says why one of them brought no response. Used by one request, for two attempts at a time at most.</summary>
internal sealed class AttemptSender(OutgoingRequest outgoing, HttpContext http, UpstreamPool upstream)
{
    private int _sent;
    private ClientBodyFault? _bodyFault;

    /// <summary>When the first attempt was sent; null: none was.</summary>
    public long? SentAt { get; private set; }

    /// <summary>Sends an attempt, whose time limits begin.</summary>
    /// <param name="attempt">The attempt.</param>
    /// <param name="rest">Asks for the rest of an answer; null: for the whole.</param>
    public Task<HttpResponseMessage> SendAsync(Attempt attempt, ContinuedBody? rest = null)
    {
        SentAt ??= upstream.Time.GetTimestamp();
        var message = UpstreamMessage.Create(
            http, outgoing, upstream, attempt.Replica, Interlocked.Increment(ref _sent), attempt.EnginePriority, fault => _bodyFault = fault, rest);
        outgoing.Attempts?.OnSending(message, attempt.Replica);
        return upstream.Connections.SendAsync(message, attempt.Clock!.Token);
    }

    /// <summary>What the breaking of an attempt means.</summary>
    public AttemptFailure FailureOf(Exception broken, Attempt attempt, CancellationToken clientGone)
    {
        var clock = attempt.Clock!;
        return clientGone.IsCancellationRequested ? new AttemptFailure(FailureKind.ClientGone)
            : attempt.IsPreempted ? new AttemptFailure(FailureKind.Preempted)
            : _bodyFault == ClientBodyFault.Left ? new AttemptFailure(FailureKind.ClientGone)
            : _bodyFault is { } fault ? FailureOf(fault)
            : clock.HasExpired && outgoing.Body.AwaitsClient && !outgoing.HasSpentItsTime(upstream.Time) ? new AttemptFailure(FailureKind.ClientBody, StatusCodes.Status408RequestTimeout)
            : clock.FoundHung ? new AttemptFailure(FailureKind.Hung)
            : clock.HasExpired ? outgoing.OutOfTime(upstream.Time)
            : clock.IsShutDown ? new AttemptFailure(FailureKind.ShuttingDown)
            : broken is HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded }
                ? new AttemptFailure(FailureKind.BrokenAnswer)
            : new AttemptFailure(FailureKind.Unreachable) { IsUnsent = IsUnsent(broken) };
    }

    private AttemptFailure FailureOf(ClientBodyFault fault) =>
        new(FailureKind.ClientBody, fault == ClientBodyFault.TooLarge ? StatusCodes.Status413PayloadTooLarge : StatusCodes.Status400BadRequest)
        {
            BodyProblem = fault == ClientBodyFault.Malformed ? outgoing.Body.Form?.Problem : null,
        };

    // A cancellation for which nothing else is the cause is the connect timeout.
    private static bool IsUnsent(Exception broken) => broken is OperationCanceledException or HttpRequestException
    {
        HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
    };
}
