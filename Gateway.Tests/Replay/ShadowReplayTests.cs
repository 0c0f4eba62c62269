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
    private const string Conversations = "sessions:rate=6,requests=1500,turns=8,system=1000,systems=100000,think=10s";

    [Theory]
    [InlineData(Fleet, "least_delay/boost/past_future/learned", "round_robin/fcfs/none/learned")]
    [InlineData(Fleet, "least_delay/boost/past_future/learned", "random/fcfs/none/learned")]
    [InlineData(Fleet, "least_delay/boost/past_future/learned", "least_requests/fcfs/none/learned")]
    [InlineData(Fleet, "least_delay/boost/past_future/learned", "round_robin/boost/past_future/learned")]
    [InlineData(Fleet, "least_delay/boost/past_future/learned", "least_delay/sjf/past_future/learned")]
    [InlineData(Fleet, "round_robin/fcfs/none/learned", "least_delay/boost/past_future/learned")]
    [InlineData(Fleet, "random/fcfs/none/learned", "least_requests/fcfs/none/learned")]
    [InlineData(Overload, "least_delay/fcfs/past_future/class", "least_delay/boost:0.02/past_future/class")]
    [InlineData(Overload, "least_delay/boost/past_future/class", "least_delay/fcfs/past_future/class")]
    [InlineData(Overload, "least_delay/fcfs/none/class", "least_delay/boost/past_future/class")]
    [InlineData(Overload, "least_delay/boost/past_future/class", "least_delay/sjf/past_future/class")]
    [InlineData(Conversations, "least_delay/boost/past_future/learned", "round_robin/boost/past_future/learned")]
    [InlineData(Conversations, "round_robin/fcfs/none/learned", "least_delay/boost/past_future/learned")]
    [InlineData(Conversations, "least_delay/boost/past_future/learned", "least_requests/boost/past_future/learned")]
    public void Shadow_BesideAReplay_HasTheSignOfTheDifferenceThatAReplayOfTheOtherPolicyMeasures(string workload, string acting, string other)
    {
        var (ours, reading) = Run(workload, acting, other);
        var (theirs, _) = Run(workload, other, null);

        output.WriteLine($"{workload} {acting} {ours.EndToEnd.Mean:0.000} {other} {theirs.EndToEnd.Mean:0.000}: measured {ours.EndToEnd.Mean - theirs.EndToEnd.Mean:0.000}, forecast {reading!.WholeRegretSeconds:0.000} of {reading.Answers} answers, ttft {ours.TimeToFirstToken.Mean - theirs.TimeToFirstToken.Mean:0.000} forecast {reading.FirstTokenRegretSeconds:0.000}, {reading.DifferingShare:0.00} differ");
        output.WriteLine(Rates);
        Assert.Equal(Math.Sign(ours.EndToEnd.Mean - theirs.EndToEnd.Mean), Math.Sign(reading.WholeRegretSeconds));
    }

    private static string Rates = "";

    private static (RunSummary Summary, ShadowReading? Reading) Run(string workload, string policy, string? shadow)
    {
        var parts = shadow?.Split('/');
        var settings = new ReplaySettings
        {
            Profile = workload == Conversations ? EngineProfiles.Find("h100-llama-8b")! : EngineProfiles.Rtx4090Llama8B,
            Shadow = parts is null ? new() : new ShadowOptions { Policy = parts[0], Order = parts[1].Split(':')[0], Admission = parts[2] },
        };
        var statistics = new RunStatistics(SloLimits.None);
        var replayer = new Replayer(settings, ReplayPolicy.Parse(policy, out _)!, statistics);
        replayer.Run(TraceSource.Open(workload, new TraceSettings { Seed = 1 }), CancellationToken.None);
        if (replayer.Pool.Shadow is { } beside) { Rates = $"acting {beside.Read().ActingSeconds:0.00}"; }
        return (statistics.Summarize(), replayer.Pool.Shadow?.Read());
    }
}
