using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Gateway.Configuration;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Simulation;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>The queue's order goes on inside an engine that schedules by priority, and into no other.</summary>
public sealed class EnginePriorityTests
{
    private const string ChatPath = "/v1/chat/completions";
    private const string Answer = """{"id":"a","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}""";

    [Fact]
    public async Task Urgent_BehindOthersInTheEnginesOwnQueue_OvertakesThemThere()
    {
        // Nothing is held: whoever overtakes does so in the engine.
        await using var world = await GatewayWorld.StartAsync(
            1,
            (engine, _) => engine with { SchedulingPolicy = SchedulingPolicy.Priority, MaxSequences = 1 },
            options => Declared(options, EnginePriority.LowerFirst) with { Queue = new QueueOptions { Admission = "none" } });
        using var holder = await world.OpenAsync("holder, answer with 4000 tokens", 4000);
        var ended = new ConcurrentQueue<string>();
        var waiting = new List<Task>();
        foreach (var priority in new[] { "batch", "default", "interactive" })
        {
            waiting.Add(EndAsync(world, priority, ended));
            var started = waiting.Count + 1;
            await Until.HoldsAsync(() => world.Engines[0].Journal.Started == started, $"the {priority} request is in the engine");
        }

        holder.Dispose();
        await Task.WhenAll(waiting).ComesAsync("every answer");

        Assert.Equal(["interactive", "default", "batch"], ended);
    }

    [Theory]
    [InlineData("""{"model":"demo", "messages":[],"x":1.0}""", EnginePriority.LowerFirst)]
    [InlineData("""{"model":"demo", "priority" : -3 ,"messages":[],"x":1.0}""", EnginePriority.LowerFirst)]
    [InlineData("""{"model":"demo", "priority":7,"messages":[]}""", EnginePriority.HigherFirst)]
    public async Task Body_ToAnEngineThatSchedulesByPriority_DiffersInThatValueAlone(string body, EnginePriority scale)
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync(Answer));
        await using var world = await GatewayWorld.BeforeAsync([engine], options => Declared(options, scale));

        using var usual = await world.PostAsync(ChatPath, body);
        using var urgent = await world.PostAsync(ChatPath, body, [("x-gateway-priority", "interactive")]);

        var sent = engine.Calls.Select(call => call.BodyText).ToArray();
        var keys = sent.Select(text => JsonDocument.Parse(text).RootElement.GetProperty("priority").GetInt32()).ToArray();
        Assert.True(scale == EnginePriority.LowerFirst ? keys[1] < keys[0] : keys[1] > keys[0], $"{keys[0]}, then {keys[1]}");
        Assert.Equal(Expected(body, keys[0]), sent[0]);
        Assert.Equal(Expected(body, keys[1]), sent[1]);
    }

    [Theory]
    [InlineData(EnginePriority.Off, ChatPath)]
    [InlineData(EnginePriority.Auto, ChatPath)]
    [InlineData(EnginePriority.LowerFirst, "/v1/messages")]
    [InlineData(EnginePriority.LowerFirst, "/v1/embeddings")]
    public async Task Body_ToAnEngineOrRouteThatKnowsNoPriority_IsAsTheClientSentIt(EnginePriority declared, string path)
    {
        const string Body = """{"model":"demo","max_tokens":4,"messages":[],"input":"x","priority":7}""";
        await using var engine = new ScriptedEngine(call => call.JsonAsync(Answer));
        await using var world = await GatewayWorld.BeforeAsync([engine], options => Declared(options, declared));

        using var response = await world.PostAsync(path, Body, [("x-gateway-priority", "interactive")]);

        Assert.Equal(Body, engine.Calls.Single().BodyText);
    }

    // The client's own value replaced in its place, or a member put first.
    private static string Expected(string body, int key)
    {
        var value = key.ToString(CultureInfo.InvariantCulture);
        return body.Contains("-3", StringComparison.Ordinal) ? body.Replace("-3", value, StringComparison.Ordinal)
            : body.Contains(":7", StringComparison.Ordinal) ? body.Replace(":7", ":" + value, StringComparison.Ordinal)
            : body.Replace("{\"model\"", $"{{\"priority\":{value},\"model\"", StringComparison.Ordinal);
    }

    private static GatewayOptions Declared(GatewayOptions options, EnginePriority scale) =>
        GatewayWorld.WithModel(options, model => model with { EnginePriority = scale });

    private static async Task EndAsync(GatewayWorld world, string priority, ConcurrentQueue<string> ended)
    {
        var reply = await world.AskAsync(Chat.Body($"{priority}, answer with 8 tokens", 8), [("x-gateway-priority", priority)]);
        Assert.Equal(200, reply.Status);
        ended.Enqueue(priority);
    }
}
