using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Requests go to where their beginning is cached. Each of these fails for a proxy that takes turns.</summary>
public class AffinityTests
{
    private static readonly Func<SimulatedEngineOptions, int, SimulatedEngineOptions> Fast = (engine, _) => engine with { Speed = 50 };

    [Fact]
    public async Task Chat_WithTheSameBeginning_GoesToTheSameReplica()
    {
        await using var world = await GatewayWorld.StartAsync(3, Fast);
        var system = Chat.Words(1_500, 1);

        var replies = new List<ChatReply>();
        for (var i = 0; i < 9; i++)
        {
            replies.Add(await world.AskAsync(Chat.Body([("system", system), ("user", $"question {i}, answer with 5 tokens")], 8, isStreaming: i % 2 == 0)));
        }

        Assert.Single(replies.Select(reply => reply.Replica).Distinct());
        Assert.Equal(0, replies[0].Number("x-gateway-prefix-hit-tokens"));
        Assert.All(replies.Skip(1), reply => Assert.InRange(reply.Number("x-gateway-prefix-hit-tokens"), 1_000, 5_000));
    }

    [Fact]
    public async Task Chat_OfSeveralTurns_StaysAtItsReplica()
    {
        await using var world = await GatewayWorld.StartAsync(3, Fast);

        var conversations = Enumerable.Range(0, 9).Select(number => new Conversation(world, number)).ToArray();
        for (var turn = 0; turn < 4; turn++)
        {
            await Task.WhenAll(conversations.Select(conversation => conversation.ContinueAsync()));
        }

        Assert.All(conversations, conversation => Assert.Single(conversation.Replicas.Distinct()));
        Assert.Equal(3, conversations.Select(conversation => conversation.Replicas[0]).Distinct().Count());
    }

    [Fact]
    public async Task Chat_WithASessionHeader_StaysWhereTheSessionIs()
    {
        await using var world = await GatewayWorld.StartAsync(3, Fast);

        for (var session = 0; session < 4; session++)
        {
            var replicas = new List<string>();
            for (var i = 0; i < 6; i++)
            {
                var reply = await world.AskAsync(Chat.Body($"{session} {i} say 3 words", 4), [("x-session-id", $"session-{session}")]);
                replicas.Add(reply.Replica);
            }

            Assert.Single(replicas.Distinct());
        }
    }

    [Fact]
    public async Task Chat_OfASessionWhoseReplicaIsBusy_WaitsForNoIdleOne()
    {
        await using var world = await GatewayWorld.StartAsync(2, (engine, _) => engine with { Speed = 50, Faults = new() { StallAfterTokens = 1 } });
        var session = ("x-session-id", "one");

        var replicas = new List<string>();
        var open = new List<OpenChat>();
        for (var i = 0; i < 5; i++)
        {
            open.Add(new OpenChat(await world.PostAsync(
                "/v1/chat/completions", Chat.Body($"{i} say 3 words", 100, isStreaming: true), [session])));
            replicas.Add(open[^1].Replica);
        }
        open.ForEach(chat => chat.Dispose());

        Assert.Single(replicas.Distinct());
    }

    [Fact]
    public async Task Chat_WhenItsFavouriteIsBusy_StaysUntilTheFavouriteIsOverloaded()
    {
        await using var world = await GatewayWorld.StartAsync(
            2, (engine, _) => engine with { Speed = 50, Faults = new() { StallAfterTokens = 1 } },
            options => options with { Routing = new() { Policy = "least_work" } });
        var system = Chat.Words(3_000, 1);
        using var first = await world.OpenAsync(system + "one", 20);
        await Until.HoldsAsync(() => world.Pool.ReplicaList.All(replica => replica.Snapshot().QueuedPrefillTokens == 0), "the first prompt is computed");

        using var second = await world.OpenAsync(system + "two", 20);
        // 4,000 tokens that are certain to come are more than the two seconds of work that a favourite may be ahead.
        using var heavy = await world.OpenAsync(system + "three", 4_000, more: ",\"ignore_eos\":true");
        using var passedOver = await world.OpenAsync(system + "four", 20);

        Assert.Equal(first.Replica, second.Replica);
        Assert.Equal(first.Replica, heavy.Replica);
        Assert.NotEqual(first.Replica, passedOver.Replica);
    }

    private sealed class Conversation(GatewayWorld world, int number)
    {
        private readonly List<(string Role, string Text)> _said = [("system", Chat.Words(1_500, number))];

        public List<string> Replicas { get; } = [];

        public async Task ContinueAsync()
        {
            _said.Add(("user", $"turn {Replicas.Count}, answer with 12 tokens"));
            var reply = await world.AskAsync(Chat.Body(_said, 16));
            _said.Add(("assistant", reply.Text));
            Replicas.Add(reply.Replica);
        }
    }
}
