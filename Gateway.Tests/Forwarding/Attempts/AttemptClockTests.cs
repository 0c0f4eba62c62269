using Gateway.Forwarding;
using Gateway.Forwarding.Attempts;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Forwarding.Attempts;

public sealed class AttemptClockTests
{
    private static readonly TimeSpan FirstByte = TimeSpan.FromSeconds(8);
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Total = TimeSpan.FromSeconds(60);

    private readonly ManualTime _time = new();

    [Fact]
    public void Token_BeforeTheFirstByte_LastsAsLongAsThatMayTake()
    {
        using var clock = New();

        _time.Advance(FirstByte - TimeSpan.FromTicks(1));
        var before = clock.Token.IsCancellationRequested;
        _time.Advance(Idle / 4);

        Assert.False(before);
        Assert.True(clock.HasExpired && clock.Token.IsCancellationRequested);
    }

    [Fact]
    public void Token_OfAStreamThatFlows_LastsUntilTheTotal()
    {
        using var clock = New();
        for (var passed = TimeSpan.Zero; passed < Total - Idle; passed += TimeSpan.FromSeconds(3))
        {
            clock.AwaitNext(isComplete: false);
            _time.Advance(TimeSpan.FromSeconds(3));
            Assert.False(clock.Token.IsCancellationRequested, $"at {passed}");
        }

        clock.AwaitNext(isComplete: false);
        _time.Advance(TimeSpan.FromSeconds(3));
        clock.AwaitNext(isComplete: false);
        _time.Advance(TimeSpan.FromSeconds(3));

        Assert.True(clock.HasExpired);
    }

    [Fact]
    public void Token_OfASilentStream_EndsAtMostAQuarterLate()
    {
        using var clock = New();
        clock.AwaitNext(isComplete: false);

        _time.Advance(Idle * 1.25);

        Assert.True(clock.HasExpired);
    }

    [Fact]
    public void Token_AfterACompleteAnswer_WaitsShortlyForTheEnd()
    {
        using var clock = New();
        clock.AwaitNext(isComplete: true);

        _time.Advance(TimeSpan.FromSeconds(3));

        Assert.True(clock.HasExpired);
    }

    [Fact]
    public void Token_WhileTheClientTakesItsTime_LastsUntilTheTotal()
    {
        using var clock = New();
        clock.AwaitNext(isComplete: false);
        clock.Pause();

        _time.Advance(Total - TimeSpan.FromTicks(1));
        var before = clock.HasExpired;
        _time.Advance(Idle / 4);

        Assert.False(before);
        Assert.True(clock.HasExpired);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(70)]
    [InlineData(40)]
    public void Token_OfALaterAttempt_LastsOnlyWhatTheRequestHasLeft(int? deadlineSeconds)
    {
        var deadline = deadlineSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : (TimeSpan?)null;
        var options = new ResilienceOptions { TotalTimeout = Total };
        var upstream = new UpstreamPool(
            new Pool(new ModelOptions { Name = "m" }, new FaultLimits(3, Idle), _time), new HttpClientHandler(), () => options, _ => null, new UpstreamEvents(), _time);
        var request = CorePool.Request(deadline: deadline) with { ArrivedAt = _time.GetTimestamp() };
        _time.Advance(TimeSpan.FromSeconds(30));

        using var body = RequestBytes.Begin();
        using var clock = upstream.Clock(new OutgoingRequest(request, CorePool.Cost(), body, options), CancellationToken.None);
        _time.Advance(TimeSpan.FromSeconds(Math.Min(60, deadlineSeconds ?? 60) - 30) - TimeSpan.FromTicks(1));
        var before = clock.HasExpired;
        _time.Advance(TimeSpan.FromSeconds(2));

        Assert.False(before);
        Assert.True(clock.HasExpired);
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void Token_OfASilentReplica_LastsWhileTheClientHasStillToUpload(bool hasRest, bool hasExpired)
    {
        var options = new ResilienceOptions();
        var upstream = new UpstreamPool(
            new Pool(new ModelOptions { Name = "m" }, new FaultLimits(3, Idle), _time), new HttpClientHandler(), () => options, _ => null, new UpstreamEvents(), _time);
        var replica = new Replica(new ReplicaOptions(), new Uri("http://a.test/"), "a", 0, new FaultLimits(3, Idle), _time);
        replica.OnProbed(ReplicaHealth.Up);
        replica.Observe(new EngineReport { Engine = EngineKind.Vllm, Progress = 1, LoadReadAt = _time.GetTimestamp() });
        using var body = RequestBytes.Begin();
        if (hasRest)
        {
            body.LeaveRest(Stream.Null, 1_000, MultipartModelScanner.Create("multipart/form-data; boundary=b")!);
        }
        var request = CorePool.Request();
        request = request with { Body = request.Body with { IsStreaming = true } };
        using var clock = upstream.Clock(new OutgoingRequest(request, CorePool.Cost(), body, options), CancellationToken.None, replica);

        _time.Advance(TimeSpan.FromSeconds(90));
        replica.Observe(new EngineReport { Engine = EngineKind.Vllm, Progress = 1, LoadReadAt = _time.GetTimestamp() });
        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal((hasExpired, hasExpired), (clock.FoundHung, clock.HasExpired));
        Assert.Equal(hasExpired ? ReplicaHealth.Suspended : ReplicaHealth.Up, replica.Health);
    }

    [Fact]
    public void Token_WhenTheClientLeaves_IsCanceledAndNothingExpired()
    {
        using var client = new CancellationTokenSource();
        using var clock = new AttemptClock(FirstByte, Idle, Total, _time, client.Token);

        client.Cancel();

        Assert.True(clock.Token.IsCancellationRequested);
        Assert.False(clock.HasExpired);
    }

    [Fact]
    public void Dispose_OfAClock_LeavesNoTimer()
    {
        var clock = New();

        clock.Dispose();
        clock.Dispose();

        Assert.Equal(0, _time.ActiveTimers);
    }

    private AttemptClock New() => new(FirstByte, Idle, Total, _time, CancellationToken.None);
}
