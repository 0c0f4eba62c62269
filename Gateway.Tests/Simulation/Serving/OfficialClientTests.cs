using System.ClientModel;
using Gateway.Simulation.Serving;
using OpenAI;
using OpenAI.Chat;

namespace Gateway.Tests.Simulation.Serving;

/// <summary>The official OpenAI client understands what the simulated engine says.</summary>
public sealed class OfficialClientTests : IAsyncLifetime
{
    private SimulatedEngine _engine = null!;
    private OpenAIClient _client = null!;

    public async Task InitializeAsync()
    {
        _engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 20 }, default);
        _client = new OpenAIClient(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(_engine.Uri, "/v1") });
    }

    public async Task DisposeAsync() => await _engine.DisposeAsync();

    [Fact]
    public async Task Chat_WholeAndStreamed_AgreeAndCarryUsage()
    {
        var chat = _client.GetChatClient("demo");
        ChatCompletion whole = await chat.CompleteChatAsync("answer with 12 tokens");

        var (text, usage) = (string.Empty, (ChatTokenUsage?)null);
        await foreach (var update in chat.CompleteChatStreamingAsync("answer with 12 tokens"))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            usage = update.Usage ?? usage;
        }

        Assert.Equal(whole.Content[0].Text, text);
        Assert.Equal(12, whole.Usage.OutputTokenCount);
        Assert.Equal(12, usage?.OutputTokenCount);
        Assert.Equal(ChatFinishReason.Stop, whole.FinishReason);
    }

    [Fact]
    public async Task Chat_WithARequiredTool_IsAToolCall()
    {
        var options = new ChatCompletionOptions { Tools = { ChatTool.CreateFunctionTool("weather") }, ToolChoice = ChatToolChoice.CreateRequiredChoice() };

        ChatCompletion answer = await _client.GetChatClient("demo").CompleteChatAsync([new UserChatMessage("answer with 3 tokens")], options);

        Assert.Equal(ChatFinishReason.ToolCalls, answer.FinishReason);
        Assert.Equal("weather", answer.ToolCalls[0].FunctionName);
    }

    [Fact]
    public async Task Embeddings_AndModels_AreRead()
    {
        OpenAI.Embeddings.OpenAIEmbeddingCollection vectors = await _client.GetEmbeddingClient("demo").GenerateEmbeddingsAsync(["a", "b"]);
        OpenAI.Models.OpenAIModelCollection models = await _client.GetOpenAIModelClient().GetModelsAsync();

        Assert.Equal([64, 64], vectors.Select(vector => vector.ToFloats().Length));
        Assert.Equal(["demo"], models.Select(model => model.Id));
    }

    [Fact]
    public async Task Chat_WithAnUnknownModel_FailsWith404()
    {
        var fault = await Assert.ThrowsAsync<ClientResultException>(() => _client.GetChatClient("nobody").CompleteChatAsync("hi"));

        Assert.Equal(404, fault.Status);
    }
}
