using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Simulation;
using Xunit.Abstractions;

namespace Gateway.Tests.Replay;

/// <summary>Refusing what must come too late, against serving it all the same: who would have been in time, and what the others gain.</summary>
public sealed class DeadlineReplayTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("least_requests/fcfs/past_future/mean", "w1:rate=40,requests=3000", 20)]
    [InlineData("least_requests/boost:0.2/past_future/mean", "w1:rate=40,requests=3000", 20)]
    [InlineData("least_requests/fcfs/past_future/mean", "w1:rate=18,requests=2000", 6)]
    [InlineData("least_requests/fcfs/past_future/mean", "w2:rate=4,requests=1000", 60)]
    [InlineData("least_requests/sjf/past_future/mean", "w2:rate=4,requests=1000", 60)]
    public void Run_WithDeadlines_RefusesHardlyAnyThatWouldHaveBeenInTime(string policy, string workload, int deadlineSeconds)
    {
        var deadline = TimeSpan.FromSeconds(deadlineSeconds);
        var served = Run(policy, workload, deadline, refusesLate: false);
        var refusing = Run(policy, workload, deadline, refusesLate: true);

        var inTime = served.Where(IsInTime).Select(result => result.Arrival).ToHashSet();
        var refused = refusing.Where(result => result is { Outcome: ReplayOutcome.Refused, QueueWait.Ticks: 0 }).ToArray();
        var wrong = refused.Count(result => inTime.Contains(result.Arrival));
        var inTimeNow = refusing.Count(IsInTime);

        output.WriteLine($"{policy} {workload} deadline {deadlineSeconds} s: in time {inTime.Count} of {served.Count} when all wait, {inTimeNow} when refused at once ({refused.Length} refused, {wrong} of them were in time before); " +
            $"wasted answers {served.Count(IsWasted)}, then {refusing.Count(IsWasted)}");
        // A refusal also changes who goes first afterwards: under orders other than first come, some of these lost their place to others that gained it.
        Assert.InRange(wrong, 0, 0.02 * served.Count);
        Assert.True(inTimeNow >= 0.98 * inTime.Count, $"{inTimeNow} in time, {inTime.Count} before");

        bool IsInTime(RequestResult result) => result.Outcome == ReplayOutcome.Completed && result.EndToEnd <= deadline;
        bool IsWasted(RequestResult result) => result.Outcome == ReplayOutcome.Completed && result.EndToEnd > deadline;
    }

    private static List<RequestResult> Run(string policy, string workload, TimeSpan deadline, bool refusesLate)
    {
        var results = new Results();
        var settings = new ReplaySettings { Replicas = 4, Profile = EngineProfiles.Rtx4090Llama8B, Deadline = deadline };
        new Replayer(settings, ReplayPolicy.Parse(policy, out _)! with { RefusesLate = refusesLate }, results)
            .Run(TraceSource.Open(workload, new TraceSettings { Seed = 5 }), CancellationToken.None);
        return results.Requests;
    }

    private sealed class Results : IRunObserver
    {
        public List<RequestResult> Requests { get; } = [];

        public void OnRequest(in RequestResult result) => Requests.Add(result);

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
