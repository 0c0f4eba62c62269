using Gateway.Api;
using Gateway.Forwarding.Attempts;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Requests;

namespace Gateway.Tests.Api;

public sealed class OutcomeMapTests
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(3);

    [Theory]
    [InlineData(AdmissionOutcome.RejectedQueueFull, 429, "queue_full", true, false)]
    [InlineData(AdmissionOutcome.ExpiredInQueue, 429, "queue_timeout", true, false)]
    [InlineData(AdmissionOutcome.DeadlineExceeded, 504, "deadline_exceeded", false, true)]
    [InlineData(AdmissionOutcome.TimedOut, 504, "upstream_timeout", false, false)]
    [InlineData(AdmissionOutcome.RejectedTooLarge, 400, "context_length_exceeded", false, false)]
    [InlineData(AdmissionOutcome.RejectedNoReplica, 503, "no_healthy_replicas", true, false)]
    [InlineData(AdmissionOutcome.RejectedHolderGone, 404, "response_not_found", false, false)]
    [InlineData(AdmissionOutcome.RejectedShuttingDown, 503, "shutting_down", true, false)]
    [InlineData(AdmissionOutcome.CanceledByClient, 499, "client_closed_request", false, false)]
    public void Of_ARefusal_IsItsStatusItsCodeAndWhetherToComeBack(AdmissionOutcome outcome, int status, string code, bool mayRetry, bool isFinal)
    {
        var problem = OutcomeMap.Of(outcome, "m", Pause);

        Assert.Equal((status, code, mayRetry ? Pause : null, isFinal), (problem.Status, problem.Code, problem.RetryAfter, problem.IsFinal));
    }

    [Fact]
    public void Of_EveryEndingButAdmission_HasAnAnswer()
    {
        Assert.All(Enum.GetValues<AdmissionOutcome>().Where(outcome => outcome != AdmissionOutcome.Admitted), outcome => Assert.NotEmpty(OutcomeMap.Of(outcome, "m", null).Message));
        Assert.All(Enum.GetValues<FailureKind>(), kind => Assert.NotEmpty(OutcomeMap.Of(new AttemptFailure(kind, 500), "m", "/v1/x", "vllm", null).Message));
    }

    [Theory]
    [InlineData(FailureKind.Unreachable, 0, 502)]
    [InlineData(FailureKind.Timeout, 0, 504)]
    [InlineData(FailureKind.BrokenAnswer, 200, 502)]
    [InlineData(FailureKind.BodyIncomplete, 200, 502)]
    [InlineData(FailureKind.EngineError, 500, 500)]
    [InlineData(FailureKind.EngineError, 507, 502)]
    [InlineData(FailureKind.EngineBusy, 429, 429)]
    [InlineData(FailureKind.EngineBusy, 503, 503)]
    [InlineData(FailureKind.ClientFault, 422, 422)]
    [InlineData(FailureKind.ClientFault, 500, 400)]
    [InlineData(FailureKind.Unauthorized, 401, 502)]
    [InlineData(FailureKind.EndpointMissing, 404, 404)]
    public void Of_AFailedAttempt_IsTheStatusOfTheRuling(FailureKind kind, int engine, int expected) =>
        Assert.Equal(expected, OutcomeMap.Of(new AttemptFailure(kind, engine), "m", "/v1/x", "vllm", null).Status);

    [Fact]
    public void Of_AnEnginesWords_KeepsThem() =>
        Assert.Equal("top_k must be positive", OutcomeMap.Of(new AttemptFailure(FailureKind.ClientFault, 400) { Message = "top_k must be positive" }, "m", "/", "vllm", null).Message);

    [Theory]
    [InlineData(200, RequestOutcome.Success)]
    [InlineData(400, RequestOutcome.ClientError)]
    [InlineData(429, RequestOutcome.Refused)]
    [InlineData(503, RequestOutcome.Refused)]
    [InlineData(529, RequestOutcome.Refused)]
    [InlineData(499, RequestOutcome.Canceled)]
    [InlineData(502, RequestOutcome.Failed)]
    [InlineData(504, RequestOutcome.Failed)]
    public void OutcomeOf_AStatus_NeverTakesAClientsMistakeForAFault(int status, RequestOutcome expected) =>
        Assert.Equal(expected, OutcomeMap.OutcomeOf(status));

    [Fact]
    public void StatusFor_AFullQueue_IsAnthropicsOwnOverload()
    {
        var full = OutcomeMap.Of(AdmissionOutcome.RejectedQueueFull, "m", null);

        Assert.Equal((429, 529), (ApiError.StatusFor(full, ApiFamily.OpenAi), ApiError.StatusFor(full, ApiFamily.Anthropic)));
    }
}
