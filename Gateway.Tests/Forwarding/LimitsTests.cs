using Gateway.Forwarding;
using Gateway.Replicas;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Forwarding;

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

public sealed class RetryBudgetTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void TryTake_InABurst_GivesTwoSecondsOfTheFloor()
    {
        var budget = New(share: 0.1, perSecond: 10);

        Assert.Equal(20, Taken(budget, 100));
    }

    [Fact]
    public void TryTake_OverTime_GivesTheFloor()
    {
        var budget = New(share: 0, perSecond: 10);
        Taken(budget, 100);

        var taken = 0;
        for (var i = 0; i < 100; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            taken += Taken(budget, 5);
        }

        Assert.InRange(taken, 99, 100);
    }

    [Fact]
    public void TryTake_WithoutAFloor_GivesTheShareOfTheRequests()
    {
        var budget = New(share: 0.125, perSecond: 0);

        var taken = 0;
        for (var i = 0; i < 800; i++)
        {
            budget.OnRequest();
            taken += Taken(budget, 1);
        }

        Assert.Equal(100, taken);
    }

    [Fact]
    public void TryTake_AfterAQuietNight_GivesNoMoreThanABurst()
    {
        var budget = New(share: 0.1, perSecond: 10);

        _time.Advance(TimeSpan.FromHours(8));

        Assert.Equal(20, Taken(budget, 1_000));
    }

    [Fact]
    public void TryTake_FromManyThreads_NeverGivesMore()
    {
        var budget = New(share: 0.1, perSecond: 500);
        var taken = 0;

        Parallel.For(0, 8_000, _ => Interlocked.Add(ref taken, budget.TryTake() ? 1 : 0));

        Assert.Equal(1_000, taken);
    }

    [Fact]
    public void TryTake_RefusedAgainAndAgain_IsToldOnceAMinute()
    {
        var told = new List<long>();
        var budget = new RetryBudget(() => (0, 0), _time, told.Add);

        Taken(budget, 5);
        _time.Advance(TimeSpan.FromSeconds(59));
        Taken(budget, 2);
        _time.Advance(TimeSpan.FromSeconds(1));
        Taken(budget, 3);

        Assert.Equal([1, 7], told);
    }

    private RetryBudget New(double share, double perSecond) => new(() => (share, perSecond), _time);

    private static int Taken(RetryBudget budget, int times) => Enumerable.Range(0, times).Count(_ => budget.TryTake());
}

public sealed class HeaderRulesTests
{
    [Fact]
    public void CopyUpstream_OfAClientsHeaders_KeepsOnlyWhatAnEngineMaySee()
    {
        var copied = Copy(
            new HeaderDictionary
            {
                ["Authorization"] = "Bearer mine",
                ["x-invented-tomorrow"] = "yes",
                ["traceparent"] = "00-1-2-03",
                ["Connection"] = "keep-alive, X-Private",
                ["x-private"] = "hop",
                ["Cookie"] = "a=b",
                ["X-Gateway-Priority"] = "batch",
                ["x-request-id"] = "theirs",
                ["Accept-Encoding"] = "gzip",
            },
            apiKey: null);

        Assert.Equal(["authorization: Bearer mine", "traceparent: 00-1-2-03", "x-invented-tomorrow: yes", "x-request-id: q"], copied);
    }

    [Theory]
    [InlineData("Authorization")]
    [InlineData("x-api-key")]
    [InlineData("api-key")]
    public void CopyUpstream_WithThePoolsKey_SendsNoOther(string header)
    {
        var copied = Copy(new HeaderDictionary { [header] = "theirs" }, apiKey: "pool");

        Assert.Equal(["authorization: Bearer pool", "x-request-id: q"], copied);
    }

    private static List<string> Copy(HeaderDictionary from, string? apiKey)
    {
        using var message = new HttpRequestMessage();
        HeaderRules.CopyUpstream(from, message.Headers, "q", apiKey);
        return [.. message.Headers.NonValidated.Select(header => $"{header.Key.ToLowerInvariant()}: {header.Value}").Order(StringComparer.Ordinal)];
    }
}
