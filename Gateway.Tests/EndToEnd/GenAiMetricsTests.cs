using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>The GenAI convention's client metrics of a real stream.</summary>
public sealed class GenAiMetricsTests
{
    private const string Event = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";

    [Fact]
    public async Task Stream_OfTwoChunks_IsOneGapAtItsReplica()
    {
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(Event);
            await goOn.Task;
            await call.ChunkAsync(Event + "data: [DONE]\n\n");
            await call.EndStreamAsync();
        });
        await using var world = await GatewayWorld.BeforeAsync([engine]);

        using var stream = await world.PostAsync("/v1/chat/completions", Chat.Body("hello", isStreaming: true));
        goOn.SetResult();
        await stream.Content.ReadAsStringAsync();
        await world.AtRestAsync();

        var labels = $"{{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"vllm\",gen_ai_request_model=\"demo\",server_address=\"127.0.0.1\",server_port=\"{engine.Uri.Port}\"}}";
        Assert.Contains($"gen_ai_client_operation_time_per_output_chunk_seconds_count{labels} 1\n", await world.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }
}
