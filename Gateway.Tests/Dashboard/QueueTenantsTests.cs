using Gateway.Dashboard;
using Gateway.Requests;

namespace Gateway.Tests.Dashboard;

public class QueueTenantsTests
{
    private static readonly QueuedTenant Chat = new("m", PriorityClass.Interactive, "chat");

    [Fact]
    public async Task Count_WhileItWaits_IsShownAndThenForgotten()
    {
        var tenants = new QueueTenants();
        var turns = new[] { new TaskCompletionSource<int>(), new TaskCompletionSource<int>() };
        var counted = turns.Select(turn => tenants.CountAsync(Chat, turn.Task).AsTask()).ToArray();

        Assert.Equal([KeyValuePair.Create(Chat, 2)], tenants.Waiting);
        turns[0].SetResult(7);
        Assert.Equal(7, await counted[0]);
        Assert.Equal([KeyValuePair.Create(Chat, 1)], tenants.Waiting);
        turns[1].SetCanceled();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => counted[1]);
        Assert.Empty(tenants.Waiting);
    }

    [Fact]
    public async Task Count_FromManyThreads_EndsWithNobody()
    {
        const int Seed = 5;
        var tenants = new QueueTenants();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            var random = new Random(Seed + worker);
            for (var i = 0; i < 2_000; i++)
            {
                var turn = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
                var counted = tenants.CountAsync(Chat with { Tenant = $"t{random.Next(3)}" }, turn.Task);
                turn.SetResult(i);
                Assert.Equal(i, await counted);
            }
        })));

        Assert.Empty(tenants.Waiting);
    }
}
