using System.Text;
using Gateway.Requests;

namespace Gateway.Tests.Requests;

public sealed class BodyReaderTests
{
    private static readonly PrefixHasher Hasher = new(42);

    [Fact]
    public void Read_PlainChat_FindsWhatTheGatewayActsOn()
    {
        const string Body = """
            {"model":"m/a:b","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"né\u00e9"},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}]}],
            "stream":true,"stream_options":{"include_usage":true},"max_tokens":50,"max_completion_tokens":40,"n":2,
            "tools":[{"type":"function"}],"tool_choice":"required","response_format":{"type":"json_schema"},"logprobs":true,
            "reasoning_effort":"high","priority":-3,"user":"u","nvext":{"agent_hints":{"osl":77}},"never_heard_of":[{"a":[1,{}]}]}
            """;

        var facts = Facts(Body);

        Assert.Equal("m/a:b", facts.Model);
        Assert.Equal("\"m/a:b\"", Text(Body, facts.ModelValue));
        Assert.True(facts.IsStreaming && facts.WantsStreamUsage);
        Assert.Equal("{\"include_usage\":true}", Text(Body, facts.StreamOptionsValue));
        Assert.Equal("true", Text(Body, facts.IncludeUsageValue));
        Assert.Equal("-3", Text(Body, facts.PriorityValue));
        Assert.Equal(40, facts.MaxOutputTokens);
        Assert.Equal(2, facts.Choices);
        Assert.Equal(2, facts.Messages);
        Assert.Equal(1, facts.MediaParts);
        Assert.Equal("Be brief.".Length + 5 + "[{\"type\":\"function\"}]".Length, facts.PromptBytes);
        Assert.True(facts.HasTools && facts.ForcesTool && facts.HasStructuredOutput && facts.WantsLogProbabilities && facts.AsksForReasoning);
        Assert.Equal(Hasher.Key("u"u8), facts.BodySessionKey);
        Assert.NotEqual(0ul, facts.SystemPromptKey);
        Assert.Equal(77, facts.ExpectedOutputTokensHint);
        Assert.Equal(Encoding.UTF8.GetByteCount(Body), facts.BodyBytes);
    }

    [Theory]
    [InlineData("""{"model":"m","prompt":"abc"}""", 3, 0, 1)]
    [InlineData("""{"model":"m","prompt":["abc","de"]}""", 5, 0, 2)]
    [InlineData("""{"model":"m","prompt":[1,22,333]}""", 0, 3, 1)]
    [InlineData("""{"model":"m","prompt":[[1,2],[3],[4,5,6]]}""", 0, 6, 3)]
    [InlineData("""{"model":"m","prompt":[12,"ab",34]}""", 2, 2, 1)]
    [InlineData("""{"model":"m","prompt":""}""", 0, 0, 1)]
    [InlineData("""{"model":"m","prompt":null}""", 0, 0, 1)]
    [InlineData("""{"model":"m","prompt":[]}""", 0, 0, 1)]
    [InlineData("""{"model":"m","prompt":"\ud83d\ude00\n\u0000"}""", 6, 0, 1)]
    public void Read_PromptInAnyForm_CountsItsTextIdsAndPrompts(string body, int bytes, int ids, int prompts)
    {
        var facts = Facts(body, ApiRoute.Completions);

        Assert.Equal((bytes, ids, prompts), (facts.PromptBytes, facts.PromptTokenIds, facts.Prompts));
    }

    [Theory]
    [InlineData("{\"max_completion_tokens\":5,\"max_tokens\":9,", 5)]
    [InlineData("{\"max_tokens\":9,\"max_completion_tokens\":5,", 5)]
    [InlineData("{\"max_tokens\":9,\"max_completion_tokens\":null,", 9)]
    [InlineData("{\"max_tokens\":5.0,", 5)]
    [InlineData("{\"max_tokens\":1e308,", int.MaxValue)]
    [InlineData("{\"max_output_tokens\":7,", null)]
    [InlineData("{\"max_tokens\":-1,", null)]
    [InlineData("{\"max_tokens\":0,", null)]
    [InlineData("{", null)]
    public void Read_OutputLimits_TakesTheOneTheApiPrefers(string head, int? limit)
    {
        Assert.Equal(limit, Facts(head + "\"model\":\"m\"}").MaxOutputTokens);
    }

    [Theory]
    [InlineData("", "invalid_json", null)]
    [InlineData("   ", "invalid_json", null)]
    [InlineData("null", "invalid_json", null)]
    [InlineData("[1]", "invalid_json", null)]
    [InlineData("\"x\"", "invalid_json", null)]
    [InlineData("{\"model\":\"m\"", "invalid_json", null)]
    [InlineData("{\"model\":\"m\"} x", "invalid_json", null)]
    [InlineData("{\"model\":\"m\"}{}", "invalid_json", null)]
    [InlineData("{\"model\":\"m\",}", "invalid_json", null)]
    [InlineData("{\"model\":\"m\",\"a\":NaN}", "invalid_json", null)]
    [InlineData("{}", "missing_required_parameter", "model")]
    [InlineData("{\"model\":null}", "missing_required_parameter", "model")]
    [InlineData("{\"model\":\"\"}", "missing_required_parameter", "model")]
    [InlineData("{\"model\":1}", "invalid_value", "model")]
    [InlineData("{\"model\":{\"model\":\"m\"}}", "invalid_value", "model")]
    [InlineData("{\"model\":\"\\ud800\"}", "invalid_value", "model")]
    [InlineData("{\"model\":\"m\",\"model\":\"m\"}", "invalid_value", "model")]
    [InlineData("{\"model\":\"m\",\"mod\\u0065l\":\"other\"}", "invalid_value", "model")]
    [InlineData("{\"model\":\"m\",\"stream\":\"true\"}", "invalid_value", "stream")]
    [InlineData("{\"model\":\"m\",\"stream_options\":[]}", "invalid_value", "stream_options")]
    [InlineData("{\"model\":\"m\",\"stream_options\":{\"include_usage\":1}}", "invalid_value", "stream_options.include_usage")]
    [InlineData("{\"model\":\"m\",\"messages\":\"hi\"}", "invalid_value", "messages")]
    [InlineData("{\"model\":\"m\",\"messages\":[\"hi\"]}", "invalid_value", "messages")]
    [InlineData("{\"model\":\"m\",\"tools\":{}}", "invalid_value", "tools")]
    [InlineData("{\"model\":\"m\",\"max_tokens\":1.5}", "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"m\",\"max_tokens\":\"5\"}", "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"m\",\"max_completion_tokens\":[5]}", "invalid_value", "max_completion_tokens")]
    [InlineData("{\"model\":\"m\",\"n\":0}", "invalid_value", "n")]
    [InlineData("{\"model\":\"m\",\"min_tokens\":-1}", "invalid_value", "min_tokens")]
    [InlineData("{\"model\":\"m\",\"ignore_eos\":1}", "invalid_value", "ignore_eos")]
    [InlineData("{\"model\":\"m\",\"priority\":\"high\"}", "invalid_value", "priority")]
    public void Read_BodyThatCannotBeServed_SaysWhichFieldAndCode(string body, string code, string? param)
    {
        var problem = BodyReader.Read(Encoding.UTF8.GetBytes(body), ApiRoute.ChatCompletions, Hasher, out var facts, out _);

        Assert.NotNull(problem);
        Assert.Equal((code, param), (problem.Code, problem.Param));
        Assert.Same(BodyFacts.None, facts);
    }

    [Fact]
    public void Read_BrokenJson_NamesThePlaceAndNeverTheText()
    {
        var problem = BodyReader.Read("{\"model\":\"m\",\n\"secret\": hunter2}"u8, ApiRoute.ChatCompletions, Hasher, out _, out _);

        Assert.Contains("line 2, byte 11", problem!.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter", problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(63, true)]
    [InlineData(64, false)]
    public void Read_DeepNesting_IsServedUpToSixtyFourLevels(int inner, bool isServed)
    {
        var body = "{\"model\":\"m\",\"x\":" + new string('[', inner) + new string(']', inner) + "}";

        var problem = BodyReader.Read(Encoding.UTF8.GetBytes(body), ApiRoute.ChatCompletions, Hasher, out _, out _);

        Assert.Equal(isServed, problem is null);
        Assert.Equal(isServed, problem?.Message.Contains("deeper", StringComparison.Ordinal) != true);
    }

    [Fact]
    public void Read_ModelBehindAMegabyteOfText_IsFound()
    {
        var body = "{\"messages\":[{\"content\":\"" + new string('x', 1 << 20) + "\",\"role\":\"user\"}],\"model\":\"last\"}";

        var problem = BodyReader.Read(Encoding.UTF8.GetBytes(body), ApiRoute.ChatCompletions, Hasher, out var facts, out var prefix);

        Assert.Null(problem);
        Assert.Equal("last", facts.Model);
        Assert.Equal(1 << 20, facts.PromptBytes);
        Assert.Equal(PrefixHasher.MaxBlocks, prefix.Blocks.Length);
    }

    [Fact]
    public void Read_ByteOrderMark_IsSkippedAndPlacesStillCountFromTheFirstByte()
    {
        var body = Encoding.UTF8.GetBytes("\uFEFF{\"model\":\"m\"}");

        Assert.Null(BodyReader.Read(body, ApiRoute.ChatCompletions, Hasher, out var facts, out _));

        Assert.Equal("\"m\"", Encoding.UTF8.GetString(body[facts.ModelValue!.Value]));
        Assert.Equal(4, facts.InsertAt);
    }

    [Theory]
    [InlineData("{\"m\\u006fdel\":\"\\u006d\"}", "m")]
    [InlineData("{\"model\":\"a\\/b\\\"c\\ud83d\\ude00\"}", "a/b\"c😀")]
    public void Read_EscapedNamesAndValues_MeanTheSame(string body, string model)
    {
        Assert.Equal(model, Facts(body).Model);
    }

    [Fact]
    public void Read_LoneSurrogatesAndNuls_AreTheEnginesBusiness()
    {
        var facts = Facts("""{"model":"m","\ud800":"\udfff","\ud800\ud800":1,"messages":[{"role":"\ud800","content":"a\ud800\u0000b"}],"user":"\ud800"}""");

        Assert.Equal(1, facts.Messages);
        Assert.Equal(6, facts.PromptBytes);
    }

    [Theory]
    [InlineData(new byte[] { 0xFF })]
    [InlineData(new byte[] { 0xC0, 0x80 })]
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 })]
    [InlineData(new byte[] { 0xE6, 0xBC })]
    public void Read_BrokenUtf8_IsNoJson(byte[] broken)
    {
        var problem = BodyReader.Read([.. "{\"model\":\"m\",\"prompt\":\""u8, .. broken, .. "\"}"u8], ApiRoute.Completions, Hasher, out _, out _);

        Assert.Equal("invalid_json", problem!.Code);
        Assert.Contains("UTF-8", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_Responses_ReadsItsOwnFields()
    {
        var facts = Facts("""
            {"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"hello"},{"type":"input_image","image_url":"x"}]},
            {"type":"function_call_output","call_id":"c","output":"42"}],"instructions":"Be kind","max_output_tokens":9,"store":true,
            "previous_response_id":"resp_1","text":{"format":{"type":"json_schema","name":"x"}},"reasoning":{"effort":"low"},
            "conversation":{"id":"conv"},"tool_choice":{"type":"function","name":"f"}}
            """, ApiRoute.Responses);

        Assert.Equal(9, facts.MaxOutputTokens);
        Assert.True(facts.IsPinned && facts.HasStructuredOutput && facts.AsksForReasoning && facts.ForcesTool);
        Assert.Equal(Hasher.ResponseKey(Hasher.Key("resp_1"u8)), facts.PreviousResponseKey);
        Assert.Equal(Hasher.Key("conv"u8), facts.BodySessionKey);
        Assert.Equal((2, 1), (facts.Messages, facts.MediaParts));
        Assert.Equal("Be kindhello42".Length, facts.PromptBytes);
    }

    [Fact]
    public void Read_AnthropicMessages_ReadsSystemThinkingAndUser()
    {
        var facts = Facts("""
            {"model":"m","max_tokens":1024,"system":[{"type":"text","text":"Be kind","cache_control":{"type":"ephemeral"}}],
            "messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{"a":1}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"ok"}]},
            {"type":"image","source":{"type":"base64","data":"AAAA"}}]}],
            "thinking":{"type":"enabled","budget_tokens":2000},"metadata":{"user_id":"u"},"tool_choice":{"type":"any"}}
            """, ApiRoute.Messages);

        Assert.Equal(1024, facts.MaxOutputTokens);
        Assert.Equal((true, 2000), (facts.AsksForReasoning, facts.ReasoningBudgetTokens));
        Assert.Equal(Hasher.Key("u"u8), facts.BodySessionKey);
        Assert.True(facts.ForcesTool);
        Assert.Equal((3, 1), (facts.Messages, facts.MediaParts));
        Assert.Equal("Be kindhif{\"a\":1}ok".Length, facts.PromptBytes);
    }

    [Theory]
    [InlineData("""{"model":"m","user":"u","prompt_cache_key":"k","session_id":"s"}""", "k")]
    [InlineData("""{"model":"m","prompt_cache_key":null,"session_id":"s","user":"u"}""", "s")]
    [InlineData("""{"model":"m","metadata":{"user_id":"mu"},"user":"u"}""", "mu")]
    [InlineData("""{"model":"m","user":"\u0075"}""", "u")]
    public void Read_SeveralAffinityKeys_TakesTheMostTelling(string body, string expected)
    {
        Assert.Equal(Hasher.Key(Encoding.UTF8.GetBytes(expected)), Facts(body).BodySessionKey);
    }

    [Theory]
    [InlineData("\"response_format\":{\"type\":\"text\"}", false)]
    [InlineData("\"response_format\":{\"type\":\"json_object\"}", true)]
    [InlineData("\"response_format\":null", false)]
    [InlineData("\"guided_json\":{}", true)]
    [InlineData("\"regex\":\"a+\"", true)]
    [InlineData("\"ebnf\":null", false)]
    [InlineData("\"structured_outputs\":{\"choice\":[\"a\"]}", true)]
    public void Read_StructuredOutput_IsSeenInEveryForm(string member, bool expected)
    {
        Assert.Equal(expected, Facts($"{{\"model\":\"m\",{member}}}").HasStructuredOutput);
    }

    [Theory]
    [InlineData("\"priority\"", PriorityClass.Interactive)]
    [InlineData("\"prior\\u0069ty\"", PriorityClass.Interactive)]
    [InlineData("\"flex\"", PriorityClass.Batch)]
    [InlineData("\"flex\",\"service_tier\":\"auto\"", PriorityClass.Default)]
    [InlineData("\"default\"", PriorityClass.Default)]
    [InlineData("\"standard_only\"", PriorityClass.Default)]
    [InlineData("\"Priority\"", PriorityClass.Default)]
    [InlineData("\"invented\"", PriorityClass.Default)]
    [InlineData("null", PriorityClass.Default)]
    [InlineData("7", PriorityClass.Default)]
    [InlineData("[\"flex\",{\"priority\":\"priority\"}]", PriorityClass.Default)]
    public void Read_ServiceTier_IsAClassWhereItsWordMeansOne(string tier, PriorityClass expected)
    {
        var body = $"{{\"model\":\"m\",\"service_tier\":{tier}}}";

        Assert.All(new[] { ApiRoute.ChatCompletions, ApiRoute.Completions, ApiRoute.Responses, ApiRoute.Messages }, route => Assert.Equal(expected, Facts(body, route).TierPriority));
        Assert.Equal(PriorityClass.Default, Facts(body, ApiRoute.Embeddings).TierPriority);
    }

    [Theory]
    [InlineData("\"auto\"", false)]
    [InlineData("\"none\"", false)]
    [InlineData("null", false)]
    [InlineData("\"required\"", true)]
    [InlineData("{\"type\":\"function\",\"function\":{\"name\":\"f\"}}", true)]
    [InlineData("{\"type\":\"auto\"}", false)]
    [InlineData("{\"mode\":\"auto\",\"type\":\"allowed_tools\"}", false)]
    [InlineData("{\"type\":\"allowed_tools\",\"mode\":\"required\"}", true)]
    public void Read_ToolChoice_TellsForcedFromFree(string choice, bool expected)
    {
        Assert.Equal(expected, Facts($"{{\"model\":\"m\",\"tool_choice\":{choice}}}").ForcesTool);
    }

    [Theory]
    [InlineData("\"reasoning_effort\":\"none\"", false, null)]
    [InlineData("\"reasoning_effort\":\"medium\"", true, null)]
    [InlineData("\"chat_template_kwargs\":{\"enable_thinking\":true}", true, null)]
    [InlineData("\"chat_template_kwargs\":{\"enable_thinking\":false}", false, null)]
    [InlineData("\"thinking\":{\"type\":\"disabled\"}", false, null)]
    [InlineData("\"thinking_token_budget\":500", true, 500)]
    [InlineData("\"thinking_token_budget\":0", false, 0)]
    [InlineData("\"output_config\":{\"effort\":\"high\"}", true, null)]
    public void Read_Reasoning_IsSeenInEveryForm(string member, bool asks, int? budget)
    {
        var facts = Facts($"{{\"model\":\"m\",{member}}}");

        Assert.Equal((asks, budget), (facts.AsksForReasoning, facts.ReasoningBudgetTokens));
    }

    [Fact]
    public void Read_RoutesThatDoNotGenerate_CountTextAndIgnoreWhatTheyDoNotUse()
    {
        var rerank = ApiRoute.All.First(route => route.Kind == ApiKind.Rerank);
        var detokenize = ApiRoute.All.First(route => route.Kind == ApiKind.Detokenize);

        var ranked = Facts("""{"model":"m","query":"q","documents":["ab",{"text":"cd"},"e"],"stream":"odd","max_tokens":"odd"}""", rerank);
        var embedded = Facts("""{"model":"m","input":["ab","c"],"n":0}""", ApiRoute.Embeddings);
        var tokens = Facts("""{"model":"m","tokens":[1,2,3]}""", detokenize);

        Assert.Equal((6, 3), (ranked.PromptBytes, ranked.Prompts));
        Assert.Equal((3, 2), (embedded.PromptBytes, embedded.Prompts));
        Assert.Equal(3, tokens.PromptTokenIds);
    }

    [Fact]
    public void Read_FieldsOfAnotherRoute_DoNotTouchThePrompt()
    {
        var facts = Facts("""{"model":"m","messages":[{"role":"user","content":"hi"}],"input":5,"prompt":true,"system":5.5e1,"instructions":{},"store":7}""");

        Assert.Equal((2, 1), (facts.PromptBytes, facts.Prompts));
    }

    [Fact]
    public void Read_MutatedBodies_NeverThrows()
    {
        var seed = new Random(20260401);
        var original = """{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a\u00e9b"}]}],"stream_options":{"include_usage":null},"tools":[1],"n":3,"prompt":[[1]],"input":[{}],"thinking":{"budget_tokens":1}}"""u8.ToArray();
        for (var round = 0; round < 20_000; round++)
        {
            var body = original.ToArray();
            for (var change = seed.Next(1, 4); change > 0; change--)
            {
                body[seed.Next(body.Length)] = seed.Next(3) == 0 ? (byte)seed.Next(256) : "{}[]\",:\\nu0"u8[seed.Next(11)];
            }

            var cut = body.AsSpan(0, seed.Next(4) == 0 ? seed.Next(body.Length) : body.Length);
            foreach (var route in new[] { ApiRoute.ChatCompletions, ApiRoute.Completions, ApiRoute.Responses, ApiRoute.Messages, ApiRoute.Embeddings })
            {
                var problem = BodyReader.Read(cut, route, Hasher, out var facts, out _);

                Assert.True(problem is not null || facts.Model.Length > 0, $"round {round}, seed 20260401");
            }
        }
    }

    private static BodyFacts Facts(string body, ApiRoute? route = null)
    {
        Assert.Null(BodyReader.Read(Encoding.UTF8.GetBytes(body), route ?? ApiRoute.ChatCompletions, Hasher, out var facts, out _));
        return facts;
    }

    private static string? Text(string body, Range? range) => range is { } at ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(body)[at]) : null;
}
