using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Requests;
using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

public sealed class ClassGoodputTests : IDisposable
{
    private readonly SetTime _time = new();
    private readonly TelemetryWorld _world = new();
    private readonly ClassesOptions _classes = new()
    {
        Interactive = new ClassOptions { TtftTarget = Milliseconds(500), InterTokenTarget = Milliseconds(50) },
    };

    private readonly ClassGoodput _goodput;

    public ClassGoodputTests() => _goodput = new ClassGoodput(() => _classes, _world.Meters, _time);

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(500, 50, RequestOutcome.Success, 1)]
    [InlineData(501, 50, RequestOutcome.Success, 0)]
    [InlineData(500, 51, RequestOutcome.Success, 0)]
    [InlineData(500, 50, RequestOutcome.Failed, 0)]
    [InlineData(500, 50, RequestOutcome.Refused, 0)]
    public void OnCompleted_OfAClassWithTargets_IsGoodWhereAllAreMet(int first, int between, RequestOutcome outcome, int good)
    {
        _goodput.OnCompleted(Ended(PriorityClass.Interactive, first, between, outcome));

        Assert.Equal(new GoodputReading(1, good, good / 60.0), _goodput.Read(TelemetryWorld.Model, PriorityClass.Interactive));
    }

    [Fact]
    public async Task OnCompleted_OfRequestsWithTargets_IsOnThePageByClassAndOutcome()
    {
        _goodput.OnCompleted(Ended(PriorityClass.Interactive, 1, 1));
        _goodput.OnCompleted(Ended(PriorityClass.Interactive, 1, 1));
        var first = await _world.ScrapeAsync();
        _goodput.OnCompleted(Ended(PriorityClass.Interactive, 501, 1));
        _goodput.OnCompleted(Ended(PriorityClass.Batch, 1, 1));
        var second = await _world.ScrapeAsync();

        Assert.Contains(Series("met", 2), first, StringComparison.Ordinal);
        Assert.Contains(Series("missed", 0), first, StringComparison.Ordinal);
        Assert.Contains(Series("met", 2), second, StringComparison.Ordinal);
        Assert.Contains(Series("missed", 1), second, StringComparison.Ordinal);
        Assert.DoesNotContain("gateway_slo_requests_total{model=\"llama\",priority=\"batch\"", second, StringComparison.Ordinal);

        static string Series(string outcome, int count) => $"gateway_slo_requests_total{{model=\"llama\",outcome=\"{outcome}\",priority=\"interactive\"}} {count}\n";
    }

    [Theory]
    [InlineData(RequestOutcome.Canceled)]
    [InlineData(RequestOutcome.ClientError)]
    public void OnCompleted_WhereTheClientDecidedIt_DoesNotCount(RequestOutcome outcome)
    {
        _goodput.OnCompleted(Ended(PriorityClass.Interactive, 1, 1, outcome));

        Assert.Null(_goodput.Read(TelemetryWorld.Model, PriorityClass.Interactive));
    }

    [Fact]
    public void OnCompleted_OfAClassWithoutTargets_CountsThoseThatNameTheirOwn()
    {
        _goodput.OnCompleted(Ended(PriorityClass.Batch, 900, 900));
        var own = Ended(PriorityClass.Batch, 900, 900);
        _goodput.OnCompleted(own with { Request = own.Request! with { TimeToFirstTokenSlo = Milliseconds(1_000) } });

        Assert.Equal((1, 1), (_goodput.Read(TelemetryWorld.Model, PriorityClass.Batch)!.Value.Requests, _goodput.Read(TelemetryWorld.Model, PriorityClass.Batch)!.Value.Good));
    }

    [Fact]
    public void Read_AfterAMinute_ForgetsTheRateAndKeepsTheCounts()
    {
        for (var i = 0; i < 6; i++)
        {
            _goodput.OnCompleted(Ended(PriorityClass.Interactive, 1, 1));
            _time.Advance(TimeSpan.FromSeconds(6));
        }
        var within = _goodput.Read(TelemetryWorld.Model, PriorityClass.Interactive);

        _time.Advance(TimeSpan.FromSeconds(61));

        Assert.Equal(new GoodputReading(6, 6, 0.1), within);
        Assert.Equal(new GoodputReading(6, 6, 0), _goodput.Read(TelemetryWorld.Model, PriorityClass.Interactive));
    }

    private static CompletedRequest Ended(PriorityClass priority, int first, int between, RequestOutcome outcome = RequestOutcome.Success)
    {
        var completed = TelemetryWorld.Completed();
        return completed with
        {
            Request = completed.Request! with { Priority = priority },
            Outcome = outcome,
            TimeToFirstToken = Milliseconds(first),
            OutputTokens = 11,
            StreamDuration = Milliseconds(10 * between),
        };
    }

    private static TimeSpan Milliseconds(int count) => TimeSpan.FromMilliseconds(count);
}
