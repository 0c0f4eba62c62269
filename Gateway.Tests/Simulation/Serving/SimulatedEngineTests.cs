using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Gateway.Simulation;
using Gateway.Simulation.Serving;

namespace Gateway.Tests.Simulation.Serving;

public sealed class SimulatedEngineTests : IAsyncLifetime
{
    private SimulatedEngine _engine = null!;
    private EngineClient _client = null!;

    public async Task InitializeAsync()
    {
        _engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Models = ["demo", "other"], Speed = 20, Seed = 1, RecordedRequests = 4 }, default);
        _client = new EngineClient(_engine);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _engine.DisposeAsync();
    }

    [Fact]
    public async Task Chat_Streamed_CarriesTheSameTextAsWholeOneTokenPerFrame()
    {
        const string Ask = """{"model":"other","messages":[{"role":"user","content":"answer with 25 tokens"}]STREAM}""";

        var whole = await _client.PostJsonAsync("/v1/chat/completions", Ask.Replace("STREAM", "", StringComparison.Ordinal));
        var frames = await _client.PostStreamAsync("/v1/chat/completions", Ask.Replace("STREAM", ""","stream":true,"stream_options":{"include_usage":true}""", StringComparison.Ordinal));

        Assert.Equal("data: [DONE]", frames[^1]);
        var chunks = frames[..^1].Select(frame => JsonDocument.Parse(frame["data: ".Length..]).RootElement).ToArray();
        Assert.Equal(1 + 25 + 1 + 1, chunks.Length);
        Assert.All(chunks, chunk => Assert.Equal("other", chunk.GetProperty("model").GetString()));
        Assert.Equal("assistant", Choice(chunks[0]).GetProperty("delta").GetProperty("role").GetString());
        var text = string.Concat(chunks[..^1].Select(chunk => Choice(chunk).GetProperty("delta").GetProperty("content").GetString()));
        Assert.Equal(Choice(whole).GetProperty("message").GetProperty("content").GetString(), text);
        Assert.Equal("stop", Choice(chunks[^2]).GetProperty("finish_reason").GetString());
        Assert.Empty(chunks[^1].GetProperty("choices").EnumerateArray());
        Assert.Equal(25, chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(whole.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), chunks[^1].GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task Chat_WithoutIncludeUsage_HasNoUsageChunk()
    {
        var frames = await _client.PostStreamAsync("/v1/chat/completions", """{"stream":true,"messages":[{"role":"user","content":"answer with 2 tokens"}]}""");

        Assert.Equal(1 + 2 + 1 + 1, frames.Count);
        Assert.DoesNotContain(frames, frame => frame.Contains("usage", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Chat_Continued_GivesTheRestOfTheUncutAnswer()
    {
        const string Ask = "answer with 30 tokens, please";
        var uncut = Content(await _client.PostJsonAsync("/v1/chat/completions", $$"""{"messages":[{"role":"user","content":"{{Ask}}"}]}"""));
        var cut = await _client.PostJsonAsync("/v1/chat/completions", $$"""{"max_tokens":12,"messages":[{"role":"user","content":"{{Ask}}"}]}""");

        var rest = await _client.PostJsonAsync("/v1/chat/completions", $$"""
            {"continue_final_message":true,"add_generation_prompt":false,"messages":[{"role":"user","content":"{{Ask}}"},{"role":"assistant","content":"{{Content(cut)}}"}]}
            """);

        Assert.Equal("length", Choice(cut).GetProperty("finish_reason").GetString());
        Assert.Equal(uncut, Content(cut) + Content(rest));
        Assert.Equal(18, rest.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task Completion_OfAPromptThatHoldsTheAnswersBeginning_GivesTheRest()
    {
        static string Text(JsonElement answer) => Choice(answer).GetProperty("text").GetString()!;
        var uncut = Text(await _client.PostJsonAsync("/v1/completions", """{"max_tokens":40,"prompt":"Once, say 40 words"}"""));
        var cut = Text(await _client.PostJsonAsync("/v1/completions", """{"max_tokens":7,"prompt":"Once, say 40 words"}"""));

        var rest = Text(await _client.PostJsonAsync("/v1/completions", $$"""{"max_tokens":40,"prompt":"Once, say 40 words{{cut}}"}"""));

        Assert.Equal(uncut, cut + rest);
    }

    [Fact]
    public async Task Chat_OfASecondTurn_FindsTheFirstTurnAndItsAnswerInThePrefixCache()
    {
        var first = await _client.PostJsonAsync("/v1/chat/completions", """{"messages":[{"role":"user","content":"answer with 64 tokens"}]}""");

        var second = await _client.PostJsonAsync("/v1/chat/completions", $$"""
            {"messages":[{"role":"user","content":"answer with 64 tokens"},{"role":"assistant","content":"{{Content(first)}}"},{"role":"user","content":"answer with 1 token"}]}
            """);

        Assert.Equal(0, Cached(first));
        Assert.InRange(Cached(second), 64, second.GetProperty("usage").GetProperty("prompt_tokens").GetInt32() - 1);
    }

    [Fact]
    public async Task Chat_WithACacheSalt_SharesNothingWithAnotherSalt()
    {
        static string Ask(string salt) => $$"""{"cache_salt":"{{salt}}","messages":[{"role":"user","content":"{{string.Concat(Enumerable.Repeat("long ", 50))}} answer with 1 token"}]}""";
        await _client.PostJsonAsync("/v1/chat/completions", Ask("one"));

        var same = await _client.PostJsonAsync("/v1/chat/completions", Ask("one"));
        var other = await _client.PostJsonAsync("/v1/chat/completions", Ask("two"));

        Assert.True(Cached(same) >= 48);
        Assert.Equal(0, Cached(other));
    }

    [Theory]
    [InlineData("\"required\"", "first")]
    [InlineData("""{"type":"function","function":{"name":"second"}}""", "second")]
    public async Task Chat_WhenAToolIsDemanded_CallsItWithJsonArguments(string choice, string expected)
    {
        const string Tools = """[{"type":"function","function":{"name":"first"}},{"type":"function","function":{"name":"second"}}]""";
        var ask = $$"""{"messages":[{"role":"user","content":"answer with 3 tokens"}],"tools":{{Tools}},"tool_choice":{{choice}}STREAM}""";

        var whole = await _client.PostJsonAsync("/v1/chat/completions", ask.Replace("STREAM", "", StringComparison.Ordinal));
        var frames = await _client.PostStreamAsync("/v1/chat/completions", ask.Replace("STREAM", ",\"stream\":true", StringComparison.Ordinal));

        var function = Choice(whole).GetProperty("message").GetProperty("tool_calls")[0].GetProperty("function");
        Assert.Equal(expected, function.GetProperty("name").GetString());
        Assert.Equal("tool_calls", Choice(whole).GetProperty("finish_reason").GetString());
        var deltas = frames[..^2].Select(frame => Choice(JsonDocument.Parse(frame["data: ".Length..]).RootElement).GetProperty("delta").GetProperty("tool_calls")[0].GetProperty("function"));
        var arguments = string.Concat(deltas.Select(delta => delta.GetProperty("arguments").GetString()));
        Assert.Equal(function.GetProperty("arguments").GetString(), arguments);
        Assert.True(JsonDocument.Parse(arguments).RootElement.GetProperty("text").GetString()!.Length > 3);
    }

    [Fact]
    public async Task Chat_WithAJsonFormat_AnswersJson()
    {
        var answer = await _client.PostJsonAsync("/v1/chat/completions", """{"response_format":{"type":"json_object"},"messages":[{"role":"user","content":"hi"}]}""");

        Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(Content(answer)).RootElement.ValueKind);
    }

    [Fact]
    public async Task Chat_WithAStopString_EndsBeforeIt()
    {
        var whole = Content(await _client.PostJsonAsync("/v1/chat/completions", """{"messages":[{"role":"user","content":"answer with 60 tokens"}]}"""));
        var stop = whole.Substring(whole.Length / 2, 4);

        var stopped = await _client.PostJsonAsync("/v1/chat/completions", $$"""{"stop":"{{stop}}","messages":[{"role":"user","content":"answer with 60 tokens"}]}""");

        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], Content(stopped));
        Assert.Equal("stop", Choice(stopped).GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task Chat_OfSeveralChoices_AnswersEachAndCountsAllTokens()
    {
        var answer = await _client.PostJsonAsync("/v1/chat/completions", """{"n":3,"messages":[{"role":"user","content":"answer with 9 tokens"}]}""");

        Assert.Equal(3, answer.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("message").GetProperty("content").GetString()).Distinct().Count());
        Assert.Equal(27, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Theory]
    [InlineData("/v1/chat/completions", """{"model":"nobody","messages":[{"role":"user","content":"x"}]}""", 404, "does not exist")]
    [InlineData("/v1/chat/completions", """{"max_tokens":99999,"messages":[{"role":"user","content":"x"}]}""", 400, "maximum context length")]
    [InlineData("/v1/chat/completions", """{"messages": [""", 400, "not valid JSON")]
    [InlineData("/v1/chat/completions", """[1]""", 400, "object")]
    [InlineData("/v1/chat/completions", """{"messages":"hi"}""", 400, "messages")]
    [InlineData("/v1/chat/completions", """{"max_tokens":"many","messages":[{"role":"user","content":"x"}]}""", 400, "max_tokens")]
    [InlineData("/v1/chat/completions", """{"continue_final_message":true,"messages":[{"role":"user","content":"x"}]}""", 400, "Cannot set both")]
    [InlineData("/v1/chat/completions", """{"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}""", 400, "when `stream=True`")]
    [InlineData("/v1/completions", """{"prompt":{}}""", 400, "prompt")]
    [InlineData("/v1/embeddings", """{"input":[]}""", 400, "input")]
    [InlineData("/v1/nothing", """{}""", 404, "Not Found")]
    public async Task Mistake_OfTheClient_IsRefusedInTheEnginesShape(string path, string body, int status, string message)
    {
        using var response = await _client.SendAsync(path, body);
        var error = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("error");

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains(message, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(status, error.GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task Chat_InAnotherEncoding_IsNoJson()
    {
        using var body = new ByteArrayContent(Encoding.Latin1.GetBytes("""{"messages":[{"role":"user","content":"café"}]}"""));
        using var response = await _client.Http.PostAsync("/v1/chat/completions", body);

        Assert.Equal(400, (int)response.StatusCode);
    }

    [Fact]
    public async Task Embeddings_InBase64_AreTheSameVectorsAsInNumbers()
    {
        var floats = await _client.PostJsonAsync("/v1/embeddings", """{"input":["a","b"],"dimensions":8}""");
        var base64 = await _client.PostJsonAsync("/v1/embeddings", """{"input":["a","b"],"dimensions":8,"encoding_format":"base64"}""");

        for (var index = 0; index < 2; index++)
        {
            var numbers = floats.GetProperty("data")[index].GetProperty("embedding").EnumerateArray().Select(value => value.GetSingle()).ToArray();
            var bytes = base64.GetProperty("data")[index].GetProperty("embedding").GetBytesFromBase64();
            Assert.Equal(numbers, Enumerable.Range(0, 8).Select(place => BitConverter.ToSingle(bytes, place * 4)));
            Assert.Equal(1, numbers.Sum(value => value * value), 0.001);
        }
    }

    [Fact]
    public async Task Responses_Streamed_NumbersItsEventsAndEndsWithTheStoredResponse()
    {
        var frames = await _client.PostStreamAsync("/v1/responses", """{"input":"answer with 4 tokens","stream":true}""");
        var events = frames.Select(frame => JsonDocument.Parse(frame[(frame.IndexOf("data: ", StringComparison.Ordinal) + 6)..]).RootElement).ToArray();
        var id = events[^1].GetProperty("response").GetProperty("id").GetString();

        var stored = await _client.GetAsync($"/v1/responses/{id}");
        using var deleted = await _client.Http.DeleteAsync(new Uri($"/v1/responses/{id}", UriKind.Relative));
        using var gone = await _client.Http.GetAsync(new Uri($"/v1/responses/{id}", UriKind.Relative));

        Assert.Equal(Enumerable.Range(0, events.Length), events.Select(one => one.GetProperty("sequence_number").GetInt32()));
        Assert.Equal(
            ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
             .. Enumerable.Repeat("response.output_text.delta", 4),
             "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"],
            events.Select(one => one.GetProperty("type").GetString()));
        Assert.Equal(events[^1].GetProperty("response").GetRawText(), stored);
        Assert.Equal(HttpStatusCode.OK, deleted.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
    }

    [Fact]
    public async Task Messages_Streamed_HasTheEventsOfTheApiInOrder()
    {
        var frames = await _client.PostStreamAsync("/v1/messages", """{"max_tokens":2,"stream":true,"messages":[{"role":"user","content":"answer with 9 tokens"}]}""");

        Assert.Equal(
            ["message_start", "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop", "message_delta", "message_stop"],
            frames.Select(frame => frame["event: ".Length..frame.IndexOf('\n', StringComparison.Ordinal)]));
        Assert.Contains("\"stop_reason\":\"max_tokens\"", frames[5], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Messages_WithAStopSequence_NamesIt()
    {
        const string Ask = """{"max_tokens":90STOP,"messages":[{"role":"user","content":"answer with 60 tokens"}]}""";
        var whole = await _client.PostJsonAsync("/v1/messages", Ask.Replace("STOP", "", StringComparison.Ordinal));
        var stop = whole.GetProperty("content")[0].GetProperty("text").GetString()![40..46];

        var stopped = await _client.PostJsonAsync("/v1/messages", Ask.Replace("STOP", $",\"stop_sequences\":[\"{stop}\"]", StringComparison.Ordinal));

        Assert.Equal(("end_turn", "stop_sequence"), (whole.GetProperty("stop_reason").GetString(), stopped.GetProperty("stop_reason").GetString()));
        Assert.Equal(stop, stopped.GetProperty("stop_sequence").GetString());
    }

    [Fact]
    public async Task Completion_OfNoTokens_StreamsItsEchoAndItsEnd()
    {
        var frames = await _client.PostStreamAsync("/v1/completions", """{"prompt":"Hello","max_tokens":0,"echo":true,"stream":true}""");

        Assert.Equal(3, frames.Count);
        Assert.Contains("\"text\":\"Hello\"", frames[0], StringComparison.Ordinal);
        Assert.Contains("\"finish_reason\":", frames[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokens_OfAText_TurnBackIntoIt()
    {
        const string Text = "Grüße, world! \n  {\"a\": 1} und viele lange Wörter";
        var tokens = await _client.PostJsonAsync("/tokenize", JsonSerializer.Serialize(new { prompt = Text }));

        var back = await _client.PostJsonAsync("/detokenize", $$"""{"tokens":{{tokens.GetProperty("tokens").GetRawText()}}}""");

        Assert.Equal(Text, back.GetProperty("prompt").GetString());
        Assert.Equal(tokens.GetProperty("count").GetInt32(), tokens.GetProperty("tokens").GetArrayLength());
    }

    [Fact]
    public async Task Transcription_WithTheModelAfterTheFile_CountsTheBytes()
    {
        using var form = new MultipartFormDataContent();
        using var file = new ByteArrayContent(new byte[200_000]);
        using var model = new StringContent("other");
        form.Add(file, "file", "a.wav");
        form.Add(model, "model");

        using var response = await _client.Http.PostAsync(new Uri("/v1/audio/transcriptions", UriKind.Relative), form);

        Assert.Equal("""{"text":"Received 200000 bytes for other."}""", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Metrics_AfterARequest_CountItUnderTheNamesOfVllm()
    {
        await _client.PostJsonAsync("/v1/chat/completions", """{"messages":[{"role":"user","content":"answer with 11 tokens"}]}""");

        var page = await _client.GetAsync("/metrics");

        Assert.Contains("vllm:generation_tokens_total{engine=\"0\",model_name=\"demo\"} 11\n", page, StringComparison.Ordinal);
        Assert.Contains("vllm:time_to_first_token_seconds_count{engine=\"0\",model_name=\"demo\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("vllm:inter_token_latency_seconds_count{engine=\"0\",model_name=\"demo\"} 10\n", page, StringComparison.Ordinal);
        Assert.Contains("vllm:num_requests_running{engine=\"0\",model_name=\"demo\"} 0\n", page, StringComparison.Ordinal);
        Assert.Contains("num_gpu_blocks=\"4096\"", page, StringComparison.Ordinal);
        Assert.Contains("vllm:iteration_tokens_total_count{", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Journal_WhenRecording_KeepsTheLatestBodiesByteForByte()
    {
        const string Odd = """{ "model" : "demo",  "messages":[{"role":"user","content":"<é> answer with 1 token"}], "new_field": [1,2] }""";
        for (var request = 0; request < 6; request++)
        {
            await _client.PostJsonAsync("/v1/chat/completions?x=1", Odd);
        }

        Assert.Equal(4, _engine.Journal.Requests.Count);
        Assert.Equal(Encoding.UTF8.GetBytes(Odd), _engine.Journal.Requests[^1].Body);
        Assert.Equal("/v1/chat/completions?x=1", _engine.Journal.Requests[^1].PathAndQuery);
        Assert.Equal("application/json", _engine.Journal.Requests[^1].Headers["content-type"]);
        Assert.Equal((6, 6, 0), (_engine.Journal.Started, _engine.Journal.Finished, _engine.Journal.Open));
    }

    [Fact]
    public async Task Pace_AtSpeedOne_IsThatOfTheProfile()
    {
        await using var real = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 1 }, default);
        using var client = new EngineClient(real);
        var started = TimeProvider.System.GetTimestamp();

        await client.PostJsonAsync("/v1/chat/completions", """{"messages":[{"role":"user","content":"answer with 50 tokens"}]}""");

        Assert.True(TimeProvider.System.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(50 * 4.5));
    }

    [Fact]
    public async Task Priority_UnderThePriorityPolicy_LetsTheLowerNumberPast()
    {
        await using var one = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { MaxSequences = 1, SchedulingPolicy = SchedulingPolicy.Priority }, default);
        using var client = new EngineClient(one);
        async Task<long> AskAsync(int priority, int tokens)
        {
            await client.PostJsonAsync("/v1/chat/completions", $$"""{"priority":{{priority}},"messages":[{"role":"user","content":"answer with {{tokens}} tokens"}]}""");
            return TimeProvider.System.GetTimestamp();
        }

        var running = AskAsync(0, 60);
        await WaitingAsync(one, running: 1, waiting: 0);
        var late = AskAsync(5, 3);
        await WaitingAsync(one, running: 1, waiting: 1);
        var urgent = AskAsync(-5, 3);
        await WaitingAsync(one, running: 1, waiting: 2);

        Assert.True(await urgent < await late);
        await running;
    }

    [Fact]
    public async Task Key_WhenOneIsSet_IsAskedForUnderV1Only()
    {
        await using var locked = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { ApiKey = "sesame" }, default);
        using var client = new EngineClient(locked);

        using var refused = await client.Http.GetAsync(new Uri("/v1/models", UriKind.Relative));
        using var health = await client.Http.GetAsync(new Uri("/health", UriKind.Relative));
        client.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "sesame");
        using var welcome = await client.Http.GetAsync(new Uri("/v1/models", UriKind.Relative));

        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        Assert.Equal(HttpStatusCode.OK, welcome.StatusCode);
    }

    private static async Task WaitingAsync(SimulatedEngine engine, int running, int waiting)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (engine.Counters.Running != running || engine.Counters.Waiting != waiting)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(20), $"never saw {running} running and {waiting} waiting");
            await Task.Yield();
        }
    }

    private static JsonElement Choice(JsonElement answer) => answer.GetProperty("choices")[0];

    private static string Content(JsonElement answer) => Choice(answer).GetProperty("message").GetProperty("content").GetString()!;

    private static int Cached(JsonElement answer) => answer.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32();
}
