using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Routing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>What a replica was given lately fades with a time constant of 180 s.</summary>
public sealed class PlacementMemoryTests
{
    private readonly Fakes.ManualTime _time = new();

    [Fact]
    public void Recall_AfterChoices_FadesWhatTheReplicaWasGiven()
    {
        var memory = new PlacementMemory(_time);
        var at = Recall(memory);
        Choose(memory, at with { PrefixHitTokens = 400 });
        _time.Advance(TimeSpan.FromSeconds(180));
        Choose(memory, Recall(memory));

        _time.Advance(TimeSpan.FromSeconds(180));
        var later = Recall(memory);

        // 600 uncached tokens two constants ago, 1,000 one ago.
        Assert.Equal((600 * Math.Exp(-2)) + (1_000 * Math.Exp(-1)), later.RecentPrefillTokens, 9);
        Assert.Equal(Math.Exp(-2) + Math.Exp(-1), later.RecentRequests, 9);
        Assert.Equal(180 * (1 - Math.Exp(-2)), later.RecentSeconds, 9);
    }

    [Fact]
    public void Recall_OfASteadyStream_TellsItsRateFromTheBeginningOn()
    {
        var memory = new PlacementMemory(_time);
        Recall(memory);
        List<double> rates = [];

        for (var second = 1; second <= 1_000; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(0.5));
            Choose(memory, Recall(memory));
            _time.Advance(TimeSpan.FromSeconds(0.5));
            var now = Recall(memory);
            rates.Add(now.RecentRequests / now.RecentSeconds);
        }

        Assert.All(rates.Skip(9), rate => Assert.InRange(rate, 0.99, 1.01));
        // The first seconds do not look like a rush.
        Assert.All(rates, rate => Assert.InRange(rate, 0.1, 1.01));
    }

    [Fact]
    public void Recall_OfAnotherReplicaInTheSlot_BeginsAnew()
    {
        var memory = new PlacementMemory(_time);
        Choose(memory, Recall(memory));
        _time.Advance(TimeSpan.FromMinutes(3));

        var another = Recall(memory, "another");

        Assert.Equal((0.0, 0.0, 9.0), (another.RecentPrefillTokens, another.RecentRequests, another.RecentSeconds));
    }

    private Candidate Recall(PlacementMemory memory, string id = "one")
    {
        var candidate = new Candidate { Replica = new ReplicaSnapshot { Id = id, Slot = 3, Health = ReplicaHealth.Up, Weight = 1, HasRoom = true, Report = EngineReport.Empty } };
        memory.Recall(ref candidate, TimeSpan.Zero, _time.GetTimestamp());
        return candidate;
    }

    private static void Choose(PlacementMemory memory, Candidate candidate) => memory.OnChosen(candidate, CorePool.Cost(1_000, 100));
}
