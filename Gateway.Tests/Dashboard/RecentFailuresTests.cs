using Gateway.Dashboard;
using Gateway.Learning;
using Gateway.Requests;
using Gateway.Tests.Telemetry;

namespace Gateway.Tests.Dashboard;

public class RecentFailuresTests
{
    private readonly SetTime _time = new();

    [Fact]
    public void LastMinute_OfEndings_CountsThoseThatFailedOrWereRefused()
    {
        var failures = new RecentFailures(_time);
        foreach (var (outcome, model) in new (RequestOutcome, string?)[]
        {
            (RequestOutcome.Failed, "a"), (RequestOutcome.Refused, "a"), (RequestOutcome.Refused, "b"), (RequestOutcome.Refused, null),
            (RequestOutcome.Success, "a"), (RequestOutcome.ClientError, "a"), (RequestOutcome.Canceled, "a"),
        })
        {
            failures.OnCompleted(Ended(outcome, model));
        }

        Assert.Equal((4, 2, 1, 0), (failures.LastMinute(null), failures.LastMinute("a"), failures.LastMinute("b"), failures.LastMinute("c")));
    }

    [Fact]
    public void LastMinute_LaterThanThat_ForgetsThem()
    {
        var failures = new RecentFailures(_time);
        failures.OnCompleted(Ended(RequestOutcome.Failed, "a"));

        _time.Advance(TimeSpan.FromSeconds(59));
        failures.OnCompleted(Ended(RequestOutcome.Failed, "a"));
        Assert.Equal(2, failures.LastMinute("a"));

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, failures.LastMinute("a"));
        _time.Advance(TimeSpan.FromSeconds(600));
        Assert.Equal(0, failures.LastMinute("a"));
    }

    private static CompletedRequest Ended(RequestOutcome outcome, string? model) =>
        new() { Route = ApiRoute.ChatCompletions, RequestId = "r", Model = model, Outcome = outcome, StatusCode = 500 };
}
