using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Simulation;

namespace Gateway.Tests.Replay;

/// <summary>Equal prompts that come together, counted by hand: an H100 computes up to 8,192 tokens in a step, and finds a block of 16 once it is scheduled.</summary>
public sealed class SiblingReplayTests
{
    private static readonly TraceSettings Seeded = new() { Seed = 1 };

    [Theory]
    // One step takes 2,048 and three times 48 tokens: 125 blocks are found by the three that come behind the first.
    [InlineData("siblings:rate=1,cv=0,burst=4,window=0s,shared=2000,own=48,output=4,requests=4", 0, 3 * 2_000)]
    [InlineData("siblings:rate=1,cv=0,burst=4,window=0s,shared=2000,own=48,output=4,requests=4", 2, 3 * 2_000)]
    [InlineData("siblings:rate=1,cv=0,burst=8,window=0s,shared=2000,own=48,output=4,requests=8", 0, 7 * 2_000)]
    [InlineData("siblings:rate=1,cv=0,burst=8,window=0s,shared=2000,own=48,output=4,requests=8", 2, 7 * 2_000)]
    public void Run_OfOneBurst_ComputesSharedTokensAsOftenAsCounted(string workload, int waitSeconds, int cached)
    {
        var results = new Results();

        new Replayer(Fleet(), ReplayPolicy.Parse($"least_delay/fcfs/past_future+siblings:{waitSeconds}/oracle", out _)!, results)
            .Run(TraceSource.Open(workload, Seeded), CancellationToken.None);

        Assert.Equal(cached, results.CachedTokens);
    }

    [Theory]
    [InlineData("past_future+siblings:0", 0.0)]
    [InlineData("window:8+siblings:2.5", 2.5)]
    [InlineData("past_future:0.9", null)]
    public void Parse_OfAWaitBehindTheAdmission_IsTaken(string admission, double? seconds) =>
        Assert.Equal(seconds, ReplayPolicy.Parse($"random/fcfs/{admission}", out _)!.SiblingWait?.TotalSeconds);

    [Theory]
    [InlineData("random/fcfs/none+siblings:x", "0 to 600")]
    [InlineData("random/fcfs/none+siblings:601", "0 to 600")]
    [InlineData("random/fcfs/none+cousins:1", "No admission is called 'none+cousins'")]
    [InlineData("sticky:-1", "0 to 86400")]
    [InlineData("random:3", "takes no number")]
    public void Parse_OfAWrongWait_SaysWhatIsAllowed(string policy, string what)
    {
        Assert.Null(ReplayPolicy.Parse(policy, out var problem));
        Assert.Contains(what, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_OfStickySessions_KeepThemForTheirTimeOrAsLearned()
    {
        var model = new Gateway.Replicas.ModelOptions { Name = "m" };
        var (fixedTime, learned) = (ReplayPolicy.Parse("sticky:30", out _)!.Options(model, 1).Routing, ReplayPolicy.Parse("sticky", out _)!.Options(model, 1).Routing);

        Assert.Equal((30.0, 0.0), (fixedTime.SessionTtl.TotalSeconds, fixedTime.ToolReturnShare));
        Assert.True(learned.ToolReturnShare > 0);
    }

    [Fact]
    public void Read_OfSessionsWithTools_PausesForTheToolThatWasCalled()
    {
        var rows = TraceSource.Open("sessions:rate=1,requests=400,turns=5,tools=1+100", Seeded).Read().ToArray();

        var pauses = rows.Zip(rows.Skip(1)).Where(pair => pair.First.SessionId == pair.Second.SessionId).ToLookup(pair => pair.First.Tool, pair => pair.Second.Think!.Value.TotalSeconds);
        Assert.Equal(["tool0", "tool1"], pauses.Select(group => group.Key).Order(StringComparer.Ordinal));
        Assert.All(pauses["tool0"], seconds => Assert.InRange(seconds, 0.5, 1.5));
        Assert.All(pauses["tool1"], seconds => Assert.InRange(seconds, 50, 150));
    }

    [Theory]
    [InlineData("1+x")]
    [InlineData("-1")]
    [InlineData("3601")]
    public void Read_OfWrongTools_SaysWhatIsAllowed(string tools)
    {
        var problem = Assert.Throws<TraceException>(() => TraceSource.Open($"sessions:tools={tools}", Seeded).Read().First());

        Assert.Contains("seconds from 0 to 3600", problem.Message, StringComparison.Ordinal);
    }

    private static ReplaySettings Fleet() => new() { Profile = EngineProfiles.Find("h100-llama-8b")!, Replicas = 1, Seed = 1 };

    private sealed class Results : IRunObserver
    {
        public long CachedTokens { get; private set; }

        public void OnRequest(in RequestResult result) => CachedTokens += result.CachedTokens;

        public void OnSample(in ReplicaSample sample)
        {
        }

        public void OnQueue(in QueueSample sample)
        {
        }

        public void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines)
        {
        }
    }
}
