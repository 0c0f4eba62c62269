using Gateway.Simulation;
using Xunit.Abstractions;

namespace Gateway.Tests.Simulation;

public class EngineModelSpeedTests(ITestOutputHelper output)
{
    [Fact]
    [Trait("Category", "Long")]
    public void Model_OfAHundredThousandRequests_AllocatesNothingPerStep()
    {
        const int Seed = 5;
        output.WriteLine($"seed {Seed}");
        var chance = new Random(Seed);
        var model = new EngineModel(EngineProfiles.H100Llama8B);
        var requests = new VirtualRequest[100_000];
        for (var index = 0; index < requests.Length; index++)
        {
            var hashes = new ulong[32];
            var family = (ulong)chance.Next(1_000) << 32;
            for (var block = 0; block < hashes.Length; block++)
            {
                hashes[block] = Hashing.Chain(family, (ulong)block);
            }

            requests[index] = new VirtualRequest(TimeSpan.FromMilliseconds(index * 120.0), new EngineRequest { PromptTokens = chance.Next(512, 2_000), OutputTokens = chance.Next(1, 700), BlockHashes = hashes });
        }

        VirtualRun.Replay(model, requests.AsSpan(0, 1_000));
        var before = GC.GetAllocatedBytesForCurrentThread();
        var started = TimeProvider.System.GetTimestamp();
        var run = VirtualRun.Replay(model, requests);
        var elapsed = TimeProvider.System.GetElapsedTime(started);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        var counters = model.Counters;
        output.WriteLine($"{requests.Length} requests, {counters.Steps} steps, {counters.GeneratedTokens} tokens in {elapsed.TotalSeconds:F1} s: {elapsed.TotalNanoseconds / counters.GeneratedTokens:F0} ns per token; virtual {run.Makespan:F0} s; {allocated:N0} bytes");
        Assert.True(counters.GeneratedTokens > 30_000_000);
        Assert.InRange(allocated, 0, 5_000_000);
    }
}
