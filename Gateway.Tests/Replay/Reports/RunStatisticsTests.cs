using Gateway.Replay.Reports;
using Gateway.Requests;

namespace Gateway.Tests.Replay.Reports;

public sealed class RunStatisticsTests
{
    private static readonly SloLimits Slo = new(TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5));

    [Fact]
    public void Summarize_OfThreeRequests_IsAsComputedByHand()
    {
        var statistics = new RunStatistics(Slo);
        statistics.OnRequest(Done(first: 0.5, end: 1.5, output: 11, estimate: 10) with { QueueWait = TimeSpan.FromSeconds(0.25), CachedTokens = 40 });
        statistics.OnRequest(Done(first: 1.5, end: 1.5, output: 1, estimate: 4));
        statistics.OnRequest(new RequestResult { Outcome = ReplayOutcome.Refused });
        statistics.OnRequest(new RequestResult { Outcome = ReplayOutcome.TooLarge });
        statistics.OnEnd(TimeSpan.FromSeconds(4), 2, []);

        var summary = statistics.Summarize();

        Assert.Equal((2L, 1L, 1L, 4L), (summary.Completed, summary.Refused, summary.TooLarge, summary.Requests));
        Assert.Equal((2L, 1.0), (summary.TimeToFirstToken.Count, summary.TimeToFirstToken.Mean));
        Assert.Equal(1.5, summary.TimeToFirstToken.Max);
        Assert.Equal((1L, 0.1), (summary.TimePerOutputToken.Count, Math.Round(summary.TimePerOutputToken.Mean, 9)));
        Assert.Equal(0.125, summary.QueueWait.Mean);
        Assert.Equal(((1.5 / 11) + 1.5) / 2, summary.NormalizedLatency.Mean, 1e-12);
        Assert.Equal((0.5, 3.0, 53.0), (summary.RequestsPerSecond, summary.OutputTokensPerSecond, summary.TotalTokensPerSecond));
        Assert.Equal((0.25, 0.25), (summary.Goodput, summary.GoodShare));
        Assert.Equal(0.2, summary.CachedTokenShare);
        Assert.Equal(new EstimateError(2, 0.5), summary.EstimateError);
        Assert.Equal(2, summary.Decisions);
        Assert.True(summary.HasRoughPercentiles);
        Assert.Null(summary.Imbalance);
        Assert.Null(summary.PrefixHitShare);
    }

    [Fact]
    public void Summarize_OfAFailedRequest_CountsItAgainstTheLimitsAndInNoLatency()
    {
        var statistics = new RunStatistics(Slo);
        statistics.OnRequest(Done(first: 0.5, end: 1.5, output: 11, estimate: 10));
        statistics.OnRequest(new RequestResult { Outcome = ReplayOutcome.Failed, EndToEnd = TimeSpan.FromSeconds(9) });

        var summary = statistics.Summarize();

        Assert.Equal((1L, 1L, 2L, 0.5), (summary.Completed, summary.Failed, summary.Requests, summary.GoodShare));
        Assert.Equal((1L, 1.5), (summary.EndToEnd.Count, summary.EndToEnd.Max));
    }

    [Theory]
    [InlineData(1.2, 0.9, false)]
    [InlineData(1.2, null, true)]
    [InlineData(0.5, 0.4, true)]
    public void Goodput_WithARequestsOwnLimit_GoesByThatOne(double own, double? runs, bool misses)
    {
        var statistics = new RunStatistics(new SloLimits(runs is { } seconds ? TimeSpan.FromSeconds(seconds) : null));
        var first = misses ? own + 0.1 : own;
        statistics.OnRequest(Done(first, first + 1, 10, 0) with { TimeToFirstTokenSlo = TimeSpan.FromSeconds(own) });

        Assert.Equal(misses ? 0 : 1, statistics.Summarize().GoodShare);
    }

    [Theory]
    [InlineData(1.0, 2.0, 1)]
    [InlineData(1.01, 2.0, 0)]
    [InlineData(0.9, 2.0, 0)]
    [InlineData(0.9, 1.9, 1)]
    [InlineData(0.9, 5.01, 0)]
    public void Goodput_AtTheLimits_CountsWhatKeepsAllOfThem(double first, double end, double share)
    {
        var statistics = new RunStatistics(Slo);
        statistics.OnRequest(Done(first, end, 11, 0));

        Assert.Equal(share, statistics.Summarize().GoodShare);
    }

    [Fact]
    public void Goodput_WithoutLimits_IsNull()
    {
        var statistics = new RunStatistics(SloLimits.None);
        statistics.OnRequest(Done(1, 2, 10, 0));

        Assert.Null(statistics.Summarize().Goodput);
        Assert.Null(statistics.Summarize().EstimateError);
    }

    [Fact]
    public void Fairness_OfTwoClients_IsJainsIndexOverTokens()
    {
        var statistics = new RunStatistics(SloLimits.None);
        statistics.OnRequest(Done(1, 2, 200, 0) with { ClientId = "modest" });
        statistics.OnRequest(Done(4, 5, 800, 0) with { ClientId = "greedy" });

        var fairness = statistics.Summarize().Fairness!;

        // 300 and 900 tokens: (300 + 900)² / (2 × (300² + 900²)) = 0.8.
        Assert.Equal(0.8, fairness.JainIndex, 1e-12);
        Assert.Equal(4.0, fairness.TimeToFirstTokenRatio);
    }

    [Fact]
    public void Fairness_OfManyClients_TellsAThousandApart()
    {
        var statistics = new RunStatistics(SloLimits.None);
        for (var i = 0; i < 5_000; i++)
        {
            statistics.OnRequest(Done(1, 2, i < 1_000 ? 10 : 1_000, 0) with { ClientId = $"c{i}" });
        }

        Assert.Equal(new ClientFairness(1_000, 1, 1), statistics.Summarize().Fairness);
    }

    [Fact]
    public void KvUsage_OfUnevenlySpacedSamples_IsWeightedByTime()
    {
        var statistics = new RunStatistics(SloLimits.None);
        statistics.OnSample(Sample(0, 0, 0.2));
        statistics.OnSample(Sample(1, 0, 0.8));
        statistics.OnSample(Sample(0, 1, 0.4));
        statistics.OnEnd(TimeSpan.FromSeconds(4), 0, []);

        var summary = statistics.Summarize();

        // Replica 0: (1 × 0.2 + 3 × 0.8) / 4 = 0.65; replica 1: 0.4.
        Assert.Equal(0.525, summary.KvUsageMean!.Value, 1e-12);
        Assert.Equal(0.8, summary.KvUsageMax);
    }

    [Fact]
    public void Imbalance_OfTwoEngines_IsAsComputedByHand()
    {
        var statistics = new RunStatistics(SloLimits.None);
        statistics.OnEnd(TimeSpan.FromSeconds(10), 0, [new EngineTotals(5, 9, 1, 100, 30, 100), new EngineTotals(6, 3, 2, 100, 50, 300)]);

        var summary = statistics.Summarize();

        Assert.Equal(new ReplicaImbalance(1.5, 0.5), summary.Imbalance);
        Assert.Equal((3L, 11L, 0.4), (summary.Preemptions, summary.EngineSteps, summary.PrefixHitShare));
    }

    [Fact]
    public void Classes_OfMixedPriorities_AreToldApartMostUrgentFirst()
    {
        var statistics = new RunStatistics(SloLimits.None);
        statistics.OnRequest(Done(9, 10, 2, 0) with { Priority = PriorityClass.Batch });
        statistics.OnRequest(Done(1, 2, 2, 0) with { Priority = PriorityClass.Interactive });

        var classes = statistics.Summarize().Classes;

        Assert.Equal([PriorityClass.Interactive, PriorityClass.Batch], classes.Select(row => row.Priority));
        Assert.Equal([1, 9], classes.Select(row => row.TimeToFirstToken.Max));
    }

    [Fact]
    public void Timeline_OfALongRun_KeepsItsWindowsBoundedAndItsTotals()
    {
        var statistics = new RunStatistics(SloLimits.None);
        for (var second = 0; second < 100_000; second++)
        {
            statistics.OnQueue(new QueueSample(TimeSpan.FromSeconds(second), second < 50_000 ? 10 : 20));
            statistics.OnRequest(Done(0, 0, 2, 0) with { Arrival = TimeSpan.FromSeconds(second) });
        }

        var timeline = statistics.Summarize().Timeline;

        Assert.InRange(timeline.QueueDepth.Length, 150, 300);
        Assert.Equal((10.0, 20.0), (timeline.QueueDepth[0], timeline.QueueDepth[^1]));
        Assert.Equal(100_000, timeline.CompletedPerSecond.Sum() * timeline.WindowSeconds, 1e-3);
        Assert.Equal(20, statistics.Summarize().MaxQueueDepth);
    }

    [Fact]
    public void Timeline_WithoutSamplesForAWhile_HoldsTheLastOnes()
    {
        var statistics = new RunStatistics(SloLimits.None);
        statistics.OnSample(Sample(0, 0, 0.5));
        statistics.OnSample(Sample(1, 0, 0.9));

        var usage = statistics.Summarize().Timeline.KvUsage;

        Assert.All(usage[..^1], value => Assert.Equal(0.5, value));
        Assert.Equal(0.9, usage[^1]);
    }

    private static ReplicaSample Sample(double seconds, int replica, double usage) => new(TimeSpan.FromSeconds(seconds), replica, 1, 0, usage);

    private static RequestResult Done(double first, double end, int output, double estimate) => new()
    {
        Outcome = ReplayOutcome.Completed,
        TimeToFirstToken = TimeSpan.FromSeconds(first),
        EndToEnd = TimeSpan.FromSeconds(end),
        InputTokens = 100,
        OutputTokens = output,
        EstimatedOutputTokens = estimate,
    };
}
