using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

public sealed class CachedPromptsTests : IDisposable
{
    private readonly CorePool _world = new(replicas: 2);

    public void Dispose() => _world.Dispose();

    [Fact]
    public void LongestHit_OfAPromptThatOnlyADeadReplicaHolds_IsNothing()
    {
        var prompts = new CachedPrompts(new HeldPrompts(_world.Pool, _world.Prefixes), _world.Prefixes, () => _world.Routing);
        var request = CorePool.Request(blocks: [1, 2, 3, 4]);
        _world.Prefixes.Record(request, CorePool.Cost(), _world.Pool.Replicas[0].Slot, null, _world.Routing);
        var alive = prompts.LongestHit(request, 100);

        _world.Pool.Replicas[0].OnProbed(ReplicaHealth.Down);
        // Whoever has a turn is noted, and every prompt is looked up again.
        _world.Prefixes.Record(CorePool.Request(blocks: [9]), CorePool.Cost(), _world.Pool.Replicas[1].Slot, null, _world.Routing);

        Assert.Equal((40, 0), (alive, prompts.LongestHit(request, 100)));
    }
}
