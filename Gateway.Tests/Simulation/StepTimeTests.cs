using Gateway.Simulation;

namespace Gateway.Tests.Simulation;

public class StepTimeTests
{
    [Theory]
    [InlineData("rtx4090-llama-8b", 22.73)]
    [InlineData("rtxpro6000-llama-8b", 16.70)]
    public void Milliseconds_OfThirtyTwoDecodesAtAThousandTokens_IsThePublishedValue(string profile, double expected)
    {
        var time = new StepTime(EngineProfiles.Find(profile)!);

        Assert.Equal(expected, time.Milliseconds(new StepLoad(32, 32, 32, 32_000, 0, 0)), 0.01);
    }

    [Theory]
    [InlineData("rtx4090-llama-8b", 60.82)]
    [InlineData("rtxpro6000-llama-8b", 32.17)]
    public void Milliseconds_OfTheSameWithAChunkOf512_IsThePublishedValue(string profile, double expected)
    {
        var time = new StepTime(EngineProfiles.Find(profile)!);

        Assert.Equal(expected, time.Milliseconds(new StepLoad(544, 33, 32, 32_000, 1, 512 * 256.0)), 0.01);
    }

    [Theory]
    [InlineData("rtx4090-llama-8b", 193.2)]
    [InlineData("rtxpro6000-llama-8b", 84.75)]
    public void Milliseconds_OfALoneChunkOf2048_IsThePublishedValue(string profile, double expected)
    {
        var time = new StepTime(EngineProfiles.Find(profile)!);

        Assert.Equal(expected, time.Milliseconds(new StepLoad(2_048, 1, 0, 0, 1, 2_048 * 1_024.0)), 0.05);
    }

    [Fact]
    public void Milliseconds_OfNothing_IsZero() => Assert.Equal(0, new StepTime(EngineProfiles.Demo).Milliseconds(default));

    /// <summary>Four operations per head, element and layer for each pair: no profile may do more of them in a second than its GPUs can.</summary>
    [Theory]
    [InlineData("rtx4090-llama-8b", 32 * 128 * 32, 165)]
    [InlineData("rtxpro6000-llama-8b", 32 * 128 * 32, 500)]
    [InlineData("a100-80g-llama-8b", 32 * 128 * 32, 312)]
    [InlineData("h100-llama-8b", 32 * 128 * 32, 989)]
    [InlineData("h100-qwen-7b-1m", 28 * 128 * 28, 989)]
    [InlineData("h100x4-llama-70b", 64 * 128 * 80, 4 * 989)]
    public void PrefillAttention_OfAProfile_StaysBelowThePeakOfItsGpus(string profile, int elements, double peakTeraflops)
    {
        var secondsPerPair = EngineProfiles.Find(profile)!.PrefillPerTokenPair / 1_000;

        Assert.InRange(4.0 * elements / secondsPerPair / 1e12, 0, peakTeraflops);
    }

    [Fact]
    public void Profiles_ByName_AreFoundWhateverTheCaseAndStepLongerWithMoreWork()
    {
        foreach (var name in EngineProfiles.Names)
        {
            var profile = EngineProfiles.Find(name.ToUpperInvariant());
            Assert.NotNull(profile);
            var time = new StepTime(profile);
            var little = time.Milliseconds(new StepLoad(1, 1, 1, 100, 0, 0));
            var more = time.Milliseconds(new StepLoad(64, 64, 64, 64_000, 0, 0));
            var most = time.Milliseconds(new StepLoad(2_048, 65, 64, 64_000, 1, 1_984 * 992.0));
            Assert.True(little > 0 && more > little && most > more, name);
            Assert.True(profile.MaxModelTokens <= profile.KvTokens, name);
        }

        Assert.Null(EngineProfiles.Find("abacus"));
    }
}
