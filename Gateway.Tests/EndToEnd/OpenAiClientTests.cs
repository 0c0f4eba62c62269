using System.ClientModel;
using System.ClientModel.Primitives;
using System.Diagnostics;
using System.Text.Json;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;
using OpenAI.Models;
using Xunit.Abstractions;

namespace Gateway.Tests.EndToEnd;

/// <summary>The official .NET client, with nothing changed but its address.</summary>
public sealed class OpenAiClientTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private GatewayWorld _world = null!;

    public async Task InitializeAsync() => _world = await GatewayWorld.StartAsync(
        configure: options => GatewayWorld.WithModel(options, model => model with { Aliases = ["gpt-4o"] }));

    public async Task DisposeAsync()
    {
        await _world.AtRestAsync();
        await _world.DisposeAsync();
    }

    [Fact]
    public async Task Chat_ThroughTheGateway_IsAnsweredUnderTheNameThatWasAskedFor()
    {
        var answer = (await Client().GetChatClient("gpt-4o").CompleteChatAsync("answer with 5 tokens")).Value;

        Assert.Equal("gpt-4o", answer.Model);
        Assert.NotEmpty(answer.Content[0].Text);
        Assert.True(answer.Usage.InputTokenCount > 0);
        Assert.True(answer.Usage.OutputTokenCount > 0);
    }

    [Fact]
    public async Task StreamedChat_ThroughTheGateway_EqualsTheWholeOneAndEnds()
    {
        var chat = Client().GetChatClient("gpt-4o");
        var whole = (await chat.CompleteChatAsync("answer with 12 tokens")).Value.Content[0].Text;

        var text = "";
        ChatFinishReason? finish = null;
        ChatTokenUsage? usage = null;
        await foreach (var update in chat.CompleteChatStreamingAsync("answer with 12 tokens"))
        {
            Assert.Equal("gpt-4o", update.Model);
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            finish = update.FinishReason ?? finish;
            usage = update.Usage ?? usage;
        }

        Assert.Equal(whole, text);
        Assert.NotNull(finish);
        // This client asks for usage in its streams.
        Assert.True(usage?.OutputTokenCount > 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Tools_ThroughTheGateway_AreCalled(bool isStreaming)
    {
        var options = new ChatCompletionOptions { ToolChoice = ChatToolChoice.CreateRequiredChoice() };
        options.Tools.Add(ChatTool.CreateFunctionTool("get_weather", "Weather of a town", BinaryData.FromString("""{"type":"object","properties":{"town":{"type":"string"}}}""")));
        var chat = Client().GetChatClient("demo");
        ChatMessage[] messages = [new UserChatMessage("weather in Paris? answer with 20 tokens")];

        string name = "", arguments = "";
        if (isStreaming)
        {
            await foreach (var call in chat.CompleteChatStreamingAsync(messages, options).SelectMany(update => update.ToolCallUpdates.ToAsyncEnumerable()))
            {
                name += call.FunctionName;
                arguments += call.FunctionArgumentsUpdate;
            }
        }
        else
        {
            var call = Assert.Single((await chat.CompleteChatAsync(messages, options)).Value.ToolCalls);
            (name, arguments) = (call.FunctionName, call.FunctionArguments.ToString());
        }

        Assert.Equal("get_weather", name);
        Assert.NotEmpty(arguments);
    }

    [Fact]
    public async Task StructuredOutput_AndUnusualFields_ReachTheEngine()
    {
        var options = new ChatCompletionOptions
        {
            ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("town", BinaryData.FromString("""{"type":"object","properties":{"name":{"type":"string"}}}"""), jsonSchemaIsStrict: true),
            Temperature = 0.25f,
            EndUserId = "user-1",
            IncludeLogProbabilities = true,
        };

        var answer = (await Client().GetChatClient("demo").CompleteChatAsync([new UserChatMessage("answer with 5 tokens")], options)).Value;

        Assert.NotEmpty(answer.Content[0].Text);
        var recorded = _world.Engines.SelectMany(engine => engine.Journal.Requests).Single();
        using var body = JsonDocument.Parse(recorded.Body);
        Assert.Equal("json_schema", body.RootElement.GetProperty("response_format").GetProperty("type").GetString());
        Assert.Equal("user-1", body.RootElement.GetProperty("user").GetString());
        Assert.Equal("Bearer any-key", recorded.Headers["authorization"]);
    }

    [Fact]
    public async Task SeveralChoices_ByTheRawProtocol_AllComeBack()
    {
        var result = await Client().GetChatClient("demo").CompleteChatAsync(
            BinaryContent.Create(BinaryData.FromString("""{"model":"demo","n":3,"messages":[{"role":"user","content":"answer with 4 tokens"}]}""")));

        using var json = JsonDocument.Parse(result.GetRawResponse().Content);
        Assert.Equal(3, json.RootElement.GetProperty("choices").GetArrayLength());
    }

    [Fact]
    public async Task Embeddings_ThroughTheGateway_AreRead()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync(
            """{"object":"list","model":"demo","data":[{"object":"embedding","index":0,"embedding":"AACAPwAAAEA="}],"usage":{"prompt_tokens":3,"total_tokens":3}}"""));
        await using var world = await GatewayWorld.BeforeAsync([engine]);

        OpenAIEmbedding embedding = (await Client(world).GetEmbeddingClient("demo").GenerateEmbeddingAsync("a town")).Value;

        Assert.Equal([1f, 2f], embedding.ToFloats().ToArray());
    }

    [Fact]
    public async Task Models_ThroughTheGateway_AreListedAndFound()
    {
        OpenAIModelClient client = Client().GetOpenAIModelClient();

        Assert.Equal(["demo", "gpt-4o"], (await client.GetModelsAsync()).Value.Select(model => model.Id));
        Assert.Equal("gpt-4o", (await client.GetModelAsync("gpt-4o")).Value.Id);
    }

    [Fact]
    public async Task Mistakes_ThroughTheGateway_AreExceptionsWithStatusAndMessage()
    {
        var unknown = await Assert.ThrowsAsync<ClientResultException>(() => Client().GetChatClient("nobody").CompleteChatAsync("x"));
        var invalid = await Assert.ThrowsAsync<ClientResultException>(() => Client().GetChatClient("demo").CompleteChatAsync(
            [new UserChatMessage("x")], new ChatCompletionOptions { MaxOutputTokenCount = -1 }));
        var missing = await Assert.ThrowsAsync<ClientResultException>(() => Client().GetOpenAIModelClient().GetModelAsync("nobody"));

        Assert.Equal((404, 400, 404), (unknown.Status, invalid.Status, missing.Status));
        Assert.Contains("model_not_found", unknown.Message, StringComparison.Ordinal);
        Assert.Contains("GET /v1/models", unknown.Message, StringComparison.Ordinal);
        Assert.Contains("max_completion_tokens", invalid.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BrokenStream_ThroughTheGateway_EndsTheEnumerationWithAnErrorOrAnEnd()
    {
        await using var engine = new ScriptedEngine(call => call.StreamAsync("data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"demo\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"));
        await using var world = await GatewayWorld.BeforeAsync(
            [engine], options => options with { Resilience = options.Resilience with { ContinueStreams = false } });
        using var patience = new CancellationTokenSource(Patience);
        var text = "";
        ChatFinishReason? finish = null;

        await foreach (var update in Client(world).GetChatClient("demo").CompleteChatStreamingAsync([new UserChatMessage("x")], cancellationToken: patience.Token))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            finish = update.FinishReason ?? finish;
        }

        Assert.Equal("a", text);
        Assert.Null(finish);
    }

    [Fact]
    public async Task Cancellation_ThroughTheGateway_StopsTheEngine()
    {
        using var leaving = new CancellationTokenSource();
        var updates = 0;
        long left = 0;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in Client().GetChatClient("demo").CompleteChatStreamingAsync([new UserChatMessage("answer with 4000 tokens")], cancellationToken: leaving.Token))
            {
                if (++updates == 3)
                {
                    left = Stopwatch.GetTimestamp();
                    await leaving.CancelAsync();
                }
            }
        });
        await GatewayWorld.UntilAsync(() => _world.Engines.Sum(engine => engine.Journal.Cancelled) == 1, "the engine stopped");

        output.WriteLine($"The engine stopped {Stopwatch.GetElapsedTime(left).TotalMilliseconds:0} ms after the client left.");
        Assert.Equal(0, _world.Engines.Sum(engine => engine.Journal.Finished));
    }

    private OpenAIClient Client() => Client(_world);

    private static OpenAIClient Client(GatewayWorld world) => new(new ApiKeyCredential("any-key"), new OpenAIClientOptions
    {
        Endpoint = new Uri(world.Client.BaseAddress!, "/v1"),
        NetworkTimeout = Patience,
        RetryPolicy = new ClientRetryPolicy(0),
    });
}
