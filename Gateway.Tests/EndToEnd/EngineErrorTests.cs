using Gateway.Replicas;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>An engine's own error answers: normalised to the API's shape, retried where that helps, and blamed on whom they concern.</summary>
public sealed class EngineErrorTests
{
    private const string Chat = "/v1/chat/completions";
    private const string Ask = """{"model":"demo","messages":[{"role":"user","content":"x"}]}""";
    private const string Good = """{"id":"good"}""";

    public static TheoryData<string, int, string, int, string, string> ClientFaults => new()
    {
        { "vLLM overflow", 400, """{"error":{"message":"This model's maximum context length is 4096 tokens. However, you requested 5000.","type":"BadRequestError","param":null,"code":400}}""", 400, "context_length_exceeded", "maximum context length" },
        { "old vLLM, flat", 400, """{"object":"error","message":"temperature must be non-negative","type":"BadRequestError","param":null,"code":400}""", 400, "invalid_request", "temperature" },
        { "vLLM validation", 422, """{"detail":[{"loc":["body","messages"],"msg":"field required","type":"value_error.missing"}]}""", 422, "invalid_request", "field required" },
        { "SGLang, flat", 400, """{"object":"error","message":"The input is longer than the model's context length (8192).","type":"BadRequestError","param":null,"code":400}""", 400, "context_length_exceeded", "context length" },
        { "llama.cpp overflow", 400, """{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}""", 400, "context_length_exceeded", "context size" },
        { "llama.cpp as 500", 500, """{"error":{"code":500,"message":"[json.exception.type_error.302] type must be string, but is number","type":"server_error"}}""", 400, "invalid_request", "type must be string" },
        { "llama.cpp embeddings", 500, """{"error":{"code":500,"message":"input is too large to process. increase the physical batch size","type":"server_error"}}""", 400, "context_length_exceeded", "too large to process" },
        { "TGI validation", 422, """{"error":"Input validation error: `inputs` must have less than 1000 tokens. Given: 1500","error_type":"validation"}""", 400, "context_length_exceeded", "1000 tokens" },
        { "Ollama", 400, """{"error":{"message":"json: cannot unmarshal number","type":"invalid_request_error","param":null,"code":null}}""", 400, "invalid_request", "unmarshal" },
        { "Ollama native", 400, """{"error":"invalid options"}""", 400, "invalid_request", "invalid options" },
        { "TensorRT-LLM, flat", 400, """{"object":"error","message":"max_tokens is wrong","type":"BadRequestError","param":null,"code":400}""", 400, "invalid_request", "max_tokens" },
        { "TensorRT-LLM validation", 400, """{"error":"[{'type': 'missing'}]"}""", 400, "invalid_request", "missing" },
        { "LMDeploy", 400, """{"message":"The session is busy","code":400,"object":"error"}""", 400, "invalid_request", "session is busy" },
        { "the engine's code", 400, """{"error":{"message":"no such tool parser","type":"invalid_request_error","param":"tools","code":"unsupported_parameter"}}""", 400, "unsupported_parameter", "tool parser" },
        { "no words at all", 400, "", 400, "invalid_request", "engine" },
    };

    [Theory]
    [MemberData(nameof(ClientFaults))]
    public async Task ClientFault_OfAnyEngine_IsPassedInTheApisShapeWithoutRetry(string engineSays, int status, string body, int expected, string code, string says)
    {
        Assert.NotEmpty(engineSays);
        await using var engine = new ScriptedEngine(call => call.JsonAsync(body, status));
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Resilience = options.Resilience with { FailuresToOpen = 1 } });

        using var chat = await world.PostAsync(Chat, Ask);
        using var messages = await world.PostAsync("/v1/messages", Ask);

        Assert.Contains(says, await ErrorAnswer.AssertAsync(chat, expected, code), StringComparison.Ordinal);
        Assert.Contains(says, await ErrorAnswer.AssertAsync(messages, expected, code, isAnthropic: true), StringComparison.Ordinal);
        Assert.Equal(2, engine.Calls.Count);
        Assert.Equal(ReplicaHealth.Up, world.Pool.ReplicaList[0].Health);
        await world.AtRestAsync();
    }

    [Theory]
    [InlineData(Chat, false)]
    [InlineData("/v1/messages", true)]
    public async Task EnginesName_OfTheModel_IsToldToNoClient(string path, bool isAnthropic)
    {
        const string Error = """{"error":{"message":"org/Big-8B is not a multimodal model","type":"BadRequestError","code":400}}""";
        await using var engine = new ScriptedEngine(call => call.JsonAsync(Error, 400), ["org/Big-8B"]);
        await using var world = await GatewayWorld.BeforeAsync([engine], options => GatewayWorld.WithModel(options, model => model with { UpstreamModel = "org/Big-8B" }));

        using var refused = await world.PostAsync(path, Ask);
        engine.Script = call => call.JsonAsync(Error);
        using var within = await world.PostAsync(path, Ask);
        engine.Script = call => call.StreamAsync($"data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a\"}}}}]}}\n\ndata: {Error}\n\n");
        using var streamed = await world.PostAsync(path, Ask.Replace("\"model\"", "\"stream\":true,\"model\"", StringComparison.Ordinal));

        Assert.Equal("demo is not a multimodal model", await ErrorAnswer.AssertAsync(refused, 400, "invalid_request", isAnthropic));
        Assert.Equal("demo is not a multimodal model", await ErrorAnswer.AssertAsync(within, 502, "upstream_error", isAnthropic));
        var events = await streamed.Content.ReadAsStringAsync();
        Assert.Contains("demo is not a multimodal model", events, StringComparison.Ordinal);
        Assert.DoesNotContain("org/Big-8B", events, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status501_OfAnEndpointThatIsSwitchedOff_NamesEngineAndEndpoint()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("""{"error":{"code":501,"message":"This server does not support embeddings. Start it with `--embeddings`","type":"not_supported_error"}}""", 501));
        await using var world = await GatewayWorld.BeforeAsync([engine]);

        using var answer = await world.PostAsync("/v1/embeddings", """{"model":"demo","input":"x"}""");

        Assert.Contains("/v1/embeddings", await ErrorAnswer.AssertAsync(answer, 404, "endpoint_not_supported"), StringComparison.Ordinal);
        Assert.Single(engine.Calls);
    }

    [Fact]
    public async Task Status500_Once_IsRetriedAndTwiceIsTold()
    {
        var failures = 1;
        await using var engine = new ScriptedEngine(call => Interlocked.Decrement(ref failures) >= 0
            ? call.JsonAsync("""{"error":{"message":"CUDA error at /opt/vllm/worker.py on 10.1.2.3:8000","code":500}}""", 500)
            : call.JsonAsync(Good));
        await using var world = await GatewayWorld.BeforeAsync([engine]);

        using var once = await world.PostAsync(Chat, Ask);
        Volatile.Write(ref failures, int.MaxValue);
        using var always = await world.PostAsync(Chat, Ask);

        Assert.Equal(Good, await once.Content.ReadAsStringAsync());
        var message = await ErrorAnswer.AssertAsync(always, 500, "upstream_error");
        Assert.Contains("CUDA error", message, StringComparison.Ordinal);
        Assert.DoesNotContain("10.1.2.3", message, StringComparison.Ordinal);
        Assert.DoesNotContain("/opt", message, StringComparison.Ordinal);
        Assert.Equal(4, engine.Calls.Count);
        await world.AtRestAsync();
    }

    // What a client names, an engine repeats.
    [Theory]
    [InlineData("/v1/responses", """{"model":"demo","input":"x","previous_response_id":"resp_model"}""", "Response with id 'resp_model' not found.")]
    [InlineData(Chat, Ask, "Tool 'my model' not found")]
    public async Task NotFound_OfSomethingElseThanTheModel_KeepsTheReplicaAtWork(string path, string ask, string message)
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync($$$"""{"error":{"message":"{{{message}}}","type":"invalid_request_error","param":null,"code":404}}""", 404));
        await using var world = await GatewayWorld.BeforeAsync([engine]);

        using var response = await world.PostAsync(path, ask);

        Assert.Equal(message, await ErrorAnswer.AssertAsync(response, 404, "not_found"));
        Assert.Equal(ReplicaHealth.Up, world.Pool.ReplicaList[0].Health);
        Assert.Single(engine.Calls);
        await world.AtRestAsync();
    }

    [Theory]
    [InlineData("""{"error":{"message":"The model `demo` does not exist.","type":"NotFoundError","param":"model","code":404}}""")]
    [InlineData("""{"error":{"message":"model \"demo\" not found, try pulling it first","type":"api_error","param":null,"code":null}}""")]
    public async Task ModelMissing_AtAReplicaThatIsToServeIt_IsTriedElsewhereAndKeepsItFromWork(string body)
    {
        await using var without = new ScriptedEngine(call => call.JsonAsync(body, 404));
        await using var with = new ScriptedEngine(call => call.JsonAsync(Good));
        await using var world = await GatewayWorld.BeforeAsync([without, with]);
        world.Pool.ReplicaList[1].SetDraining(true);
        using var alone = await world.PostAsync(Chat, Ask);
        var health = world.Pool.ReplicaList[0].Health;
        await world.ReplicaIsUpAsync(0);
        world.Pool.ReplicaList[1].SetDraining(false);

        var answers = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            using var response = await world.PostAsync(Chat, Ask);
            answers.Add(await response.Content.ReadAsStringAsync());
        }

        await ErrorAnswer.AssertAsync(alone, 502, "upstream_model_missing");
        Assert.Equal(ReplicaHealth.WrongModel, health);
        Assert.All(answers, answer => Assert.Equal(Good, answer));
        await world.AtRestAsync();
    }

    [Theory]
    [InlineData("""{"detail":"Not Found"}""")]
    [InlineData("404 page not found")]
    [InlineData("")]
    public async Task MissingEndpoint_OfTheEngine_NamesEngineAndEndpoint(string body)
    {
        await using var engine = new ScriptedEngine(call => call.AnswerAsync("text/plain", body, 404));
        await using var world = await GatewayWorld.BeforeAsync([engine]);

        using var response = await world.PostAsync("/v1/rerank", """{"model":"demo","query":"q","documents":["d"]}""");

        var message = await ErrorAnswer.AssertAsync(response, 404, "endpoint_not_supported");
        Assert.Contains("vllm", message, StringComparison.Ordinal);
        Assert.Contains("/v1/rerank", message, StringComparison.Ordinal);
        Assert.Single(engine.Calls);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("ENGINE_KEY")]
    public async Task Unauthorized_Engine_Is502ThatNamesTheSetting(string? variable)
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("""{"error":"Unauthorized"}""", 401));
        await using var world = await GatewayWorld.BeforeAsync(
            [engine],
            options => GatewayWorld.WithModel(options, model => model with { ApiKeyEnv = variable }) with { Resilience = options.Resilience with { FailuresToOpen = 1 } },
            new ServerSettings { Environment = _ => "secret-key" });

        using var response = await world.PostAsync(Chat, Ask, [("Authorization", "Bearer of-the-client")]);

        var message = await ErrorAnswer.AssertAsync(response, 502, "upstream_unauthorized");
        Assert.Contains("apiKeyEnv", message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-key", message, StringComparison.Ordinal);
        // A client's wrong key must not take a replica from all the others; the pool's own wrong key is the replica's trouble.
        Assert.Equal(variable is not null, world.Pool.ReplicaList[0].FaultsInARow > 0);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task Serve_BusyEngine_BacksOffAndAnotherAnswers(int status)
    {
        await using var busy = new ScriptedEngine(call => call.JsonAsync("""{"error":"Model is overloaded","error_type":"overloaded"}""", status, "Retry-After: 3600\r\n"));
        await using var good = new ScriptedEngine(call => call.JsonAsync(Good));
        await using var world = await GatewayWorld.BeforeAsync([busy, good]);

        for (var i = 0; i < 6; i++)
        {
            using var response = await world.PostAsync(Chat, Ask);
            Assert.Equal(Good, await response.Content.ReadAsStringAsync());
        }

        Assert.Single(busy.Calls);
        Assert.Single(world.Pool.ReplicaList, replica => replica.Health == ReplicaHealth.BackingOff);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task BusyEngine_WithoutAnother_IsWaitedForAsItAsked()
    {
        var refusals = 1;
        await using var engine = new ScriptedEngine(call => Interlocked.Decrement(ref refusals) >= 0
            ? call.JsonAsync("{}", 429, "Retry-After: 1\r\n")
            : call.JsonAsync(Good));
        await using var world = await GatewayWorld.BeforeAsync([engine]);

        using var response = await world.PostAsync(Chat, Ask);

        Assert.Equal(Good, await response.Content.ReadAsStringAsync());
        Assert.Equal(2, engine.Calls.Count);
        Assert.True(int.Parse(response.Headers.GetValues("x-gateway-queue-ms").Single(), System.Globalization.CultureInfo.InvariantCulture) > 500);
    }

    [Theory]
    [InlineData(429, "upstream_rate_limited")]
    [InlineData(503, "upstream_busy")]
    public async Task BusyEngine_ThatStaysSo_IsToldWithRetryAfter(int status, string code)
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("""{"error":{"message":"server busy, please try again","type":"x"}}""", status, "Retry-After: 7\r\n"));
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Resilience = options.Resilience with { MaxRetries = 0 } });

        using var response = await world.PostAsync(Chat, Ask);

        Assert.Contains("server busy", await ErrorAnswer.AssertAsync(response, status, code), StringComparison.Ordinal);
        Assert.Equal("7", response.Headers.GetValues("Retry-After").Single());
        await world.AtRestAsync();
    }
}
