using Gateway.Queueing.Shadows;
using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Routing;
using Gateway.Simulation;
using Xunit.Abstractions;

namespace Gateway.Tests.Replay;

/// <summary>A shadow's verdict against what a replay of the same hour then measures.</summary>
public sealed class ShadowReplayTests(ITestOutputHelper output)
{
    private const string Fleet = "w5:rate=22,requests=1500";
    private const string Overload = "w1:rate=25,requests=2000";
    private const string LongAnswers = "w2:rate=4.2,requests=800";
    private const string Conversations = "sessions:rate=6,requests=1500,turns=8,system=1000,systems=100000,think=10s";
    private const string FullConversations = "sessions:rate=4,requests=1500,turns=6,system=1000,systems=100000,think=10s";
    private const string Ours = "least_delay/boost/past_future";

    // Below this share of the mean the policies are as good as each other.
    private const double Matters = 0.05;

    [Theory]
    [InlineData(Fleet, Ours, "round_robin/fcfs/none")]
    [InlineData(Fleet, Ours, "random/fcfs/none")]
    [InlineData(Fleet, Ours, "least_requests/fcfs/none")]
    [InlineData(Fleet, Ours, "least_delay/sjf/past_future")]
    [InlineData(Fleet, "round_robin/fcfs/none", Ours)]
    [InlineData(Fleet, "random/fcfs/none", "least_requests/fcfs/none")]
    [InlineData(Overload, "least_delay/fcfs/past_future", Ours)]
    [InlineData(Overload, Ours, "least_delay/sjf/past_future")]
    [InlineData(Overload, "least_delay/fcfs/none", Ours)]
    [InlineData(Overload, "least_delay/fcfs/none", "least_delay/fcfs/past_future")]
    [InlineData(Overload, Ours, "least_delay/fcfs/none")]
    [InlineData(LongAnswers, "least_delay/fcfs/none", Ours)]
    [InlineData(LongAnswers, Ours, "least_delay/fcfs/none")]
    [InlineData(FullConversations, "least_delay/fcfs/none", Ours)]
    [InlineData(FullConversations, Ours, "least_delay/fcfs/none")]
    [InlineData(Conversations, Ours, "round_robin/boost/past_future")]
    [InlineData(Conversations, Ours, "least_requests/boost/past_future")]
    [InlineData(Conversations, "round_robin/fcfs/none", Ours)]
    public void Shadow_BesideAReplay_RegretsWhatAReplayOfTheOtherPolicySaves(string workload, string acting, string other)
    {
        var (ours, reading) = Run(workload, acting, other);
        var (theirs, _) = Run(workload, other, null);

        var mean = ours.EndToEnd.Mean;
        var (measured, forecast) = ((mean - theirs.EndToEnd.Mean) / mean, reading!.WholeRegretSeconds / mean);
        output.WriteLine(FormattableString.Invariant(
            $"{workload} | {acting} | {other} | {mean:0.00} | {reading.ActingSeconds:0.00} | {100 * measured:0.0} % | {100 * forecast:0.0} % | {reading.DifferingShare:0.00} differ"));
        if (Math.Abs(measured) > Matters)
        {
            Assert.Equal(Math.Sign(measured), Math.Sign(forecast));
        }
        else
        {
            Assert.InRange(forecast, -Matters, Matters);
        }
        Assert.True(reading.Answers > 0.7 * ours.Completed);
    }

    [Theory]
    [InlineData(Fleet, Ours)]
    [InlineData(Conversations, "power_of_two/sjf/past_future")]
    public void Shadow_OfThePolicyInForce_RegretsNothing(string workload, string policy)
    {
        var (_, reading) = Run(workload, policy, policy);

        Assert.True(reading!.Answers > 1_000);
        Assert.Equal((0.0, 0.0, 0L), (reading.WholeRegretSeconds, reading.FirstTokenRegretSeconds, reading.RefusalRegret));
    }

    private static (RunSummary Summary, ShadowReading? Reading) Run(string workload, string policy, string? shadow)
    {
        var parts = shadow?.Split('/');
        var settings = new ReplaySettings
        {
            Profile = workload == Conversations ? EngineProfiles.Find("h100-llama-8b")! : EngineProfiles.Rtx4090Llama8B,
            Shadow = parts is null ? new() : new ShadowOptions { Policy = parts[0], Order = parts[1], Admission = parts[2] },
        };
        var statistics = new RunStatistics(SloLimits.None);
        var lengths = workload is Overload or LongAnswers ? "class" : "learned";
        var replayer = new Replayer(settings, ReplayPolicy.Parse($"{policy}/{lengths}", out _)!, statistics);
        replayer.Run(TraceSource.Open(workload, new TraceSettings { Seed = 1 }), CancellationToken.None);
        Assert.All(replayer.Pool.Pool.ReplicaList, replica => Assert.Equal(0, replica.Snapshot().ReservedTokens));
        return (statistics.Summarize(), replayer.Pool.Shadow?.Read());
    }
}
