using Gateway.Queueing.Orders;
using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Routing;
using Gateway.Simulation;
using Gateway.Tests.Cli.Live;

namespace Gateway.Tests.Replay;

public sealed class ReplayerTests
{
    private const string Conversations = "sessions:rate=2,requests=400,turns=exponential(5),system=500,think=2s";
    private const string TooLargeSome = "heavytail:rate=4,requests=300,input=pareto(2000,1.1,90000)";

    private static readonly string[] Workloads =
    [
        "w1:rate=12,requests=300", "w2:rate=2,requests=120", "w3:rate=8,requests=300", "w6:rate=8,groups=20,shared=3000,output=100", "w8:rate=12,requests=300",
        "w9:rate=12,requests=300", Conversations, TooLargeSome,
    ];

    public static TheoryData<string> Policies =>
    [
        .. RoutingPolicies.Names,
        .. QueueOrders.Names.Select(order => $"least_requests/{order}/past_future/mean"),
        "default", "plain", "least_work/sjf/past_future/class", "sal/larry/window:8/none", "lmetric/boost:0.05/past_future:1.05/oracle", "round_robin/ssjf/window:8/oracle",
        "default@3", "default@2:alone",
    ];

    [Theory, MemberData(nameof(Policies))]
    public void Run_OfAnyWorkload_EndsEachRequestOnceAndLeavesNothingBehind(string policy)
    {
        foreach (var workload in Workloads)
        {
            var trace = TraceSource.Open(workload, new TraceSettings { Seed = 3 });
            var results = new Results();
            var replayer = new Replayer(Fleet(), ReplayPolicy.Parse(policy, out _)!, results);

            replayer.Run(trace, CancellationToken.None);

            AssertEachEndedOnce([.. trace.Read()], results);
            AssertNeverTwoAtOnce([.. trace.Read()], results);
            foreach (var (engine, replica) in replayer.Engines.Zip(replayer.Pool.Pool.ReplicaList))
            {
                var counters = engine.Model.Counters;
                var ledger = replica.Snapshot().WithoutPeers();
                Assert.Equal((0, 0, 0), (counters.Running, counters.Waiting, counters.UsedBlocks));
                Assert.Equal((0, 0, 0L, 0L, 0.0), (ledger.RunningRequests, ledger.RunningSequences, ledger.ReservedTokens, ledger.QueuedPrefillTokens, ledger.OutstandingTokens));
            }
        }
    }

    [Fact]
    public void Run_WithRequestsLargerThanAnEngine_CountsThemAndGoesOn()
    {
        var results = new Results();

        new Replayer(Fleet(), ReplayPolicy.Parse("default", out _)!, results).Run(TraceSource.Open(TooLargeSome, new TraceSettings { Seed = 3 }), CancellationToken.None);

        var large = results.Requests.Where(result => result.Outcome == ReplayOutcome.TooLarge).ToArray();
        Assert.InRange(large.Length, 1, 200);
        Assert.All(large, result => Assert.True(result.InputTokens > 30_000));
        Assert.Equal(300 - large.Length, results.Requests.Count(result => result.Outcome == ReplayOutcome.Completed));
    }

    [Theory]
    [InlineData("default")]
    [InlineData("default@3")]
    public void Run_WithAGapOfThousandsOfYears_LooksNoMoreThanAShortWhile(string policy)
    {
        var results = new Results();
        var trace = new GivenTrace(GivenTrace.Row(), GivenTrace.Row(seconds: 9e10));

        new Replayer(Fleet(), ReplayPolicy.Parse(policy, out _)!, results).Run(trace, new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System).Token);

        Assert.Equal(2, results.Requests.Count(result => result.Outcome == ReplayOutcome.Completed));
        Assert.InRange(results.QueueSamples, 590, 620);
    }

    [Theory]
    [InlineData("default")]
    [InlineData("power_of_two/vtc/past_future/mean")]
    [InlineData("random/ltr/window:8/oracle")]
    [InlineData("least_delay/dlpm:1024+sjf+promotion/past_future/mean/continue:0.5")]
    public async Task Run_Repeated_GivesTheSameBytes(string policy)
    {
        foreach (var workload in Workloads)
        {
            var alone = Report(policy, workload, 7);

            var beside = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Report(policy, workload, 7))));

            Assert.All(beside, report => Assert.Equal(alone, report));
        }
    }

    [Fact]
    public void Run_UnderAnotherSeed_GivesAnotherRun() =>
        Assert.NotEqual(Report("random", Workloads[0], 1), Report("random", Workloads[0], 2));

    [Fact]
    public void Run_WithoutPriorities_TreatsTheClassesAlike()
    {
        var (heeded, ignored) = (new RunStatistics(SloLimits.None), new RunStatistics(SloLimits.None));
        var policy = ReplayPolicy.Parse("least_requests/fcfs/window:8", out _)!;

        new Replayer(Fleet(), policy, heeded).Run(TraceSource.Open("w9:rate=20,requests=400", new TraceSettings()), CancellationToken.None);
        new Replayer(Fleet() with { IgnoresPriorities = true }, policy, ignored).Run(TraceSource.Open("w9:rate=20,requests=400", new TraceSettings()), CancellationToken.None);

        Assert.True(RatioOf(heeded) < 0.5, $"interactive over batch {RatioOf(heeded)}");
        Assert.InRange(RatioOf(ignored), 0.7, 1.4);
    }

    [Theory]
    [InlineData("least_delay/boost/window:4/mean", 6, 0, false, false)]
    [InlineData("least_delay/boost/window:4/mean/before_first_byte", 15, 0, true, false)]
    [InlineData("least_delay/boost/window:4/mean/before_first_byte", 15, 50, true, false)]
    [InlineData("least_delay/vtc+boost/window:4/mean/continue:0.8", 6, 0, true, true)]
    [InlineData("least_delay/vtc+boost/window:4/mean/continue:0.8", 6, 50, true, true)]
    public void Run_WithPreemption_EndsEveryRequestOnceAndWhole(string policy, int rate, int hopMilliseconds, bool preempts, bool interrupts)
    {
        var trace = $"w9:rate={rate},requests=600";
        var results = new Results();
        var fleet = Fleet() with { HopTime = TimeSpan.FromMilliseconds(hopMilliseconds) };
        var replayer = new Replayer(fleet, ReplayPolicy.Parse(policy, out _)!, results);

        replayer.Run(TraceSource.Open(trace, new TraceSettings { Seed = 5 }), CancellationToken.None);

        var rows = TraceSource.Open(trace, new TraceSettings { Seed = 5 }).Read().ToArray();
        Assert.Equal(rows.Length, results.Requests.Count(result => result.Outcome == ReplayOutcome.Completed));
        Assert.Equal(rows.Sum(row => (long)row.OutputTokens), results.Requests.Sum(result => (long)result.OutputTokens));
        Assert.Equal((preempts, interrupts), (replayer.Requeued + replayer.Interrupted > 0, replayer.Interrupted > 0));
        Assert.All(replayer.Engines, engine => Assert.Equal(0, engine.Model.Counters.Running));
        Assert.All(replayer.Pool.Pool.ReplicaList, replica => Assert.Equal((0, 0L), (replica.Snapshot().RunningRequests, replica.Snapshot().ReservedTokens)));
    }

    [Fact]
    public void Run_WhereRequestsTravel_AddsTheirWayAndNoMoreThanAStepToTheFirstToken()
    {
        var (near, far) = (new Results(), new Results());
        var policy = ReplayPolicy.Parse("round_robin", out _)!;

        // One at a time: the engine is idle when the next one comes.
        new Replayer(Fleet(), policy, near).Run(TraceSource.Open("w1:rate=0.05,requests=50", new TraceSettings()), CancellationToken.None);
        new Replayer(Fleet() with { HopTime = TimeSpan.FromMilliseconds(50) }, policy, far).Run(TraceSource.Open("w1:rate=0.05,requests=50", new TraceSettings()), CancellationToken.None);

        var later = near.Requests.OrderBy(result => result.Arrival).Zip(far.Requests.OrderBy(result => result.Arrival), (one, other) => other.TimeToFirstToken - one.TimeToFirstToken);
        Assert.All(later, seconds => Assert.InRange(seconds.TotalSeconds, 0.0499, 0.08));
    }

    [Fact]
    public void Run_Canceled_GivesUp()
    {
        using var gone = new CancellationTokenSource();
        gone.Cancel();

        Assert.Throws<OperationCanceledException>(() =>
            new Replayer(Fleet(), ReplayPolicy.Parse("default", out _)!, new Results()).Run(TraceSource.Open("w1", new TraceSettings()), gone.Token));
    }

    [Fact]
    [Trait("Category", "Long")]
    public void Run_OfEveryKnowledgeOfLengths_NeverBeatsTheOracleByFar()
    {
        var oracle = MeanOf("least_requests/sjf/past_future/oracle");

        Assert.All(["none", "mean", "class"], lengths => Assert.True(MeanOf($"least_requests/sjf/past_future/{lengths}") > 0.95 * oracle, lengths));
        Assert.True(MeanOf("least_requests/sjf/past_future/class") < MeanOf("least_requests/fcfs/past_future/class"));
    }

    private static double MeanOf(string policy)
    {
        var statistics = new RunStatistics(SloLimits.None);
        new Replayer(Fleet() with { Replicas = 1 }, ReplayPolicy.Parse(policy, out _)!, statistics).Run(
            TraceSource.Open("w1:rate=6,requests=2000", new TraceSettings()), CancellationToken.None);
        return statistics.Summarize().EndToEnd.Mean;
    }

    private static double RatioOf(RunStatistics statistics)
    {
        var classes = statistics.Summarize().Classes;
        return classes[0].TimeToFirstToken.Mean / classes[1].TimeToFirstToken.Mean;
    }

    private static ReplaySettings Fleet() => new() { Replicas = 2, Profile = EngineProfiles.Rtx4090Llama8B, Speeds = [1, 0.8], Seed = 5 };

    private static byte[] Report(string policy, string workload, int seed)
    {
        var statistics = new RunStatistics(SloLimits.None);
        new Replayer(Fleet() with { Seed = seed }, ReplayPolicy.Parse(policy, out _)!, statistics).Run(
            TraceSource.Open(workload, new TraceSettings { Seed = 3 }), CancellationToken.None);
        return ReportJson.Write(new ReplayReport
        {
            Trace = workload,
            Fleet = "two",
            Seed = seed,
            Slo = SloLimits.None,
            Runs = [new PolicyRun(policy, statistics.Summarize())],
        });
    }

    private static void AssertEachEndedOnce(TraceRequest[] rows, Results results)
    {
        Assert.Equal(rows.Length, results.Requests.Count);
        Assert.Equal(rows.Select(row => row.InputTokens).Order(), results.Requests.Select(result => result.InputTokens).Order());
        Assert.Equal(rows.GroupBy(row => row.SessionId ?? "").ToDictionary(group => group.Key, group => group.Count()),
            results.Requests.GroupBy(result => result.SessionId ?? "").ToDictionary(group => group.Key, group => group.Count()));
        Assert.All(results.Requests, result => Assert.NotEqual(ReplayOutcome.Refused, result.Outcome));
        Assert.All(results.Requests.Where(result => result.Outcome == ReplayOutcome.Completed), result =>
            Assert.True(TimeSpan.Zero <= result.QueueWait && result.QueueWait < result.TimeToFirstToken && result.TimeToFirstToken <= result.EndToEnd));
    }

    private static void AssertNeverTwoAtOnce(TraceRequest[] rows, Results results)
    {
        var think = rows.Select(row => row.Think).Max() ?? TimeSpan.Zero;
        foreach (var session in results.Requests.Where(result => result.SessionId is not null).GroupBy(result => result.SessionId))
        {
            var turns = session.OrderBy(turn => turn.Arrival).ToArray();
            Assert.All(turns.Zip(turns.Skip(1)), pair => Assert.True(pair.Second.Arrival >= pair.First.Arrival + pair.First.EndToEnd + think));
        }
    }

    private sealed class Results : IRunObserver
    {
        public List<RequestResult> Requests { get; } = [];

        public void OnRequest(in RequestResult result) => Requests.Add(result);

        public void OnSample(in ReplicaSample sample)
        {
        }

        public int QueueSamples { get; private set; }

        public void OnQueue(in QueueSample sample) => QueueSamples++;

        public void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines) =>
            Assert.Equal(Requests.Count(result => result.Outcome == ReplayOutcome.Completed), decisions);
    }
}
