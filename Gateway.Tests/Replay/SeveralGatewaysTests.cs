using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Simulation;

namespace Gateway.Tests.Replay;

public sealed class SeveralGatewaysTests
{
    private const string SharedPrefixes = "w6:rate=8";

    [Fact]
    public void Run_OfThreeThatShare_PlacesWithinATenthOfOneWithTheWholeView()
    {
        var (one, three, alone) = (Run("default"), Run("default@3"), Run("default@3:alone"));

        Assert.True(three.EndToEnd.Mean <= 1.1 * one.EndToEnd.Mean, $"{three.EndToEnd.Mean} s, one gateway {one.EndToEnd.Mean} s");
        Assert.True(three.CachedTokenShare >= 0.9 * one.CachedTokenShare, $"{three.CachedTokenShare} of the prompts cached, one gateway {one.CachedTokenShare}");
        Assert.True(three.Imbalance!.BusyMaxOverMean <= 1.1 * one.Imbalance!.BusyMaxOverMean, $"{three.Imbalance.BusyMaxOverMean}, one gateway {one.Imbalance.BusyMaxOverMean}");
        // What is lost without: or the above shows nothing.
        Assert.True(alone.CachedTokenShare < 0.9 * one.CachedTokenShare, $"{alone.CachedTokenShare} of the prompts cached, one gateway {one.CachedTokenShare}");
        Assert.True(alone.EndToEnd.Mean > 1.1 * one.EndToEnd.Mean, $"{alone.EndToEnd.Mean} s, one gateway {one.EndToEnd.Mean} s");
    }

    [Fact]
    public void Run_OfSeveralTwice_IsTheSame() => Assert.Equal(Run("default@3").EndToEnd, Run("default@3").EndToEnd);

    private static RunSummary Run(string policy)
    {
        var statistics = new RunStatistics(new SloLimits(null, null, null));
        var settings = new ReplaySettings { Profile = EngineProfiles.Find("h100-llama-8b")!, Replicas = 8 };
        new Replayer(settings, ReplayPolicy.Parse(policy, out _)!, statistics).Run(TraceSource.Open(SharedPrefixes, new TraceSettings()), CancellationToken.None);
        return statistics.Summarize();
    }
}
