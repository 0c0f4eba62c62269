using System.Text;
using Gateway.Forwarding.Answers;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Forwarding.Answers;

public sealed class AnswerFrameTests
{
    [Theory]
    [InlineData("""{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}""", 0)]
    [InlineData("""{"choices":[{"delta":{"content":"Hi"}}]}""", 1)]
    [InlineData("""{"choices":[{"delta":{"content":"Hi"}},{"delta":{"content":"Ho"}},{"delta":{}}]}""", 2)]
    [InlineData("""{"choices":[{"delta":{"reasoning_content":"Hm","content":null}}]}""", 1)]
    [InlineData("""{"choices":[{"delta":{"reasoning":"Hm"}}]}""", 1)]
    [InlineData("""{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}""", 1)]
    [InlineData("""{"choices":[{"delta":{"tool_calls":[],"content":""}}]}""", 0)]
    [InlineData("""{"choices":[{"text":" a","index":0,"finish_reason":null}]}""", 1)]
    [InlineData("""{"type":"response.output_text.delta","delta":"a","sequence_number":4}""", 1)]
    [InlineData("""{"delta":"a","type":"response.function_call_arguments.delta"}""", 1)]
    [InlineData("""{"type":"response.output_text.delta","delta":""}""", 0)]
    [InlineData("""{"type":"response.output_text.done","text":"abc"}""", 0)]
    [InlineData("""{"type":"response.created","response":{"model":"m","output":[]}}""", 0)]
    [InlineData("""{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}""", 1)]
    [InlineData("""{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a"}}""", 1)]
    [InlineData("""{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}""", 1)]
    [InlineData("""{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}""", 0)]
    [InlineData("""{"type":"content_block_start","content_block":{"type":"text","text":""}}""", 0)]
    [InlineData("""{"type":"content_block_start","content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}""", 1)]
    [InlineData("""{"type":"ping"}""", 0)]
    [InlineData("""{"type":"transcript.text.delta","delta":"a"}""", 1)]
    public void Read_Content_IsWhatTheClientSees(string payload, int tokens)
    {
        var facts = Read(payload);

        Assert.Equal((tokens > 0, tokens), (facts.HasContent, facts.TokenGuess));
        Assert.False(facts.IsError || facts.IsUsageOnly || facts.IsTerminal);
    }

    [Theory]
    [InlineData("""{"choices":[{"delta":{},"finish_reason":"stop"}]}""", FinishKind.Stop)]
    [InlineData("""{"choices":[{"text":"","finish_reason":"length"}]}""", FinishKind.Length)]
    [InlineData("""{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}""", FinishKind.ToolCalls)]
    [InlineData("""{"choices":[{"delta":{},"finish_reason":"abort"}]}""", FinishKind.Aborted)]
    [InlineData("""{"choices":[{"delta":{},"finish_reason":"new_reason"}]}""", FinishKind.Other)]
    [InlineData("""{"type":"message_stop"}""", FinishKind.None)]
    [InlineData("""{"type":"response.completed","response":{"status":"completed"}}""", FinishKind.Stop)]
    [InlineData("""{"type":"response.incomplete","response":{"status":"incomplete"}}""", FinishKind.Length)]
    public void Read_Ending_IsTerminalWithItsReason(string payload, FinishKind finish)
    {
        var facts = Read(payload);

        Assert.True(facts.IsTerminal);
        Assert.Equal(finish, facts.Finish);
        Assert.False(facts.IsError);
    }

    [Fact]
    public void Read_MessageDelta_FinishesButIsNotTheLastEvent()
    {
        var facts = Read("""{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}""");

        Assert.Equal((FinishKind.Stop, false, 15), (facts.Finish, facts.IsTerminal, facts.Usage.OutputTokens));
    }

    [Theory]
    [InlineData("""{"error":{"message":"boom \"x\"","type":"T","code":500}}""", "boom \\\"x\\\"")]
    [InlineData("""{"object":"error","message":"flat","type":"BadRequestError","code":400}""", "flat")]
    [InlineData("""{"error":"tgi","error_type":"overloaded"}""", "tgi")]
    [InlineData("""{"type":"error","error":{"type":"overloaded_error","message":"anthropic"}}""", "anthropic")]
    [InlineData("""{"type":"error","code":"server_error","message":"responses","param":null}""", "responses")]
    [InlineData("""{"type":"response.failed","response":{"status":"failed","error":{"code":"x","message":"failed"}}}""", "failed")]
    [InlineData("""{"code":500,"message":"bare","type":"server_error"}""", "bare")]
    [InlineData("""{"error":{}}""", null)]
    public void Read_Error_IsSeenInEveryShape(string payload, string? message)
    {
        var facts = Read(payload);

        Assert.True(facts.IsError);
        Assert.Equal(message, Text(payload, facts.ErrorMessage));
    }

    [Theory]
    [InlineData("""{"choices":[{"delta":{"content":"a"}}],"error":null}""")]
    [InlineData("""{"type":"response.completed","response":{"error":null,"status":"completed"}}""")]
    [InlineData("""{"choices":[{"message":{"content":"{\"error\":1}"}}]}""")]
    [InlineData("""{"message":"hello"}""")]
    public void Read_NullError_IsNone(string payload) => Assert.False(Read(payload).IsError);

    [Theory]
    [InlineData("""{"id":"c","object":"o","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1,"total_tokens":3,"completion_tokens":2}}""", true)]
    [InlineData("""{"choices":[],"usage":{"prompt_tokens":1},"system_fingerprint":"x","timings":{"prompt_n":1},"prompt_token_ids":null}""", true)]
    [InlineData("""{"choices":[],"usage":null}""", false)]
    [InlineData("""{"choices":[]}""", false)]
    [InlineData("""{"choices":[],"usage":{"prompt_tokens":1},"sglext":{"a":1}}""", false)]
    [InlineData("""{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}""", false)]
    [InlineData("""{"usage":{"prompt_tokens":1}}""", false)]
    public void Read_UsageChunk_IsToldFromOthers(string payload, bool expected) => Assert.Equal(expected, Read(payload).IsUsageOnly);

    [Theory]
    [InlineData("""{"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}""", 10, 5, 4, 2)]
    [InlineData("""{"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":null,"reasoning_tokens":3}}""", 10, 5, null, 3)]
    [InlineData("""{"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":null}}}""", 10, 5, null, null)]
    [InlineData("""{"response":{"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":1}}}}""", 10, 5, 4, 1)]
    [InlineData("""{"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":7,"cache_creation_input_tokens":2,"output_tokens":1}}}""", 12, 1, 7, null)]
    [InlineData("""{"usage":{"prompt_tokens":10,"completion_tokens":5},"timings":{"prompt_n":2,"predicted_n":5}}""", 10, 5, 8, null)]
    [InlineData("""{"timings":{"cache_n":8,"prompt_n":2,"predicted_n":5}}""", 10, 5, 8, null)]
    [InlineData("""{"usage":{"total_tokens":9}}""", 9, null, null, null)]
    [InlineData("""{"usage":{"prompt_tokens":-1,"completion_tokens":1e308,"total_tokens":"9"}}""", null, null, null, null)]
    [InlineData("""{"usage":{"prompt_tokens":2,"prompt_tokens_details":{"cached_tokens":90}}}""", 2, null, 2, null)]
    public void Read_Usage_HasOneFormForAllApis(string payload, int? prompt, int? output, int? cached, int? reasoning)
    {
        Assert.Equal(new AnswerUsage(prompt, output, cached, reasoning), Read(payload).Usage);
    }

    [Fact]
    public void Read_Places_AreTheValuesOnly()
    {
        const string Payload = """ {"model" : "top\"x","response":{"model":"inner","usage":{}},"usage" : {"prompt_tokens":1}, "choices":[{"model":"no"}]}""";

        var facts = Read(Payload);

        Assert.Equal("\"top\\\"x\"", Text(Payload, facts.ModelValue));
        Assert.Equal("\"inner\"", Text(Payload, facts.NestedModelValue));
        Assert.Equal("""{"prompt_tokens":1}""", Text(Payload, facts.UsageValue));
    }

    [Theory]
    [InlineData("[DONE]", AnswerShape.Done)]
    [InlineData(" [DONE] ", AnswerShape.Done)]
    [InlineData("", AnswerShape.Empty)]
    [InlineData("{\"a\":", AnswerShape.Malformed)]
    [InlineData("{\"a\":1}}", AnswerShape.Malformed)]
    [InlineData("{'a':1}", AnswerShape.Malformed)]
    [InlineData("<html>", AnswerShape.Malformed)]
    [InlineData("[1,{}]", AnswerShape.JsonArray)]
    [InlineData("[1,{}", AnswerShape.Malformed)]
    [InlineData("5", AnswerShape.JsonScalar)]
    public void Read_Shape_IsWhatTheBytesAre(string payload, AnswerShape shape) => Assert.Equal(shape, Read(payload).Shape);

    [Fact]
    public void Read_PlainAnswers_GiveFinishUsageAndChoices()
    {
        var chat = AnswerBody.Read("""{"choices":[{"message":{"content":"a"},"finish_reason":"stop"},{"message":{"content":"b"},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"""u8);
        var message = AnswerBody.Read("""{"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"max_tokens","usage":{"input_tokens":1,"output_tokens":2}}"""u8);
        var embedding = AnswerBody.Read("""{"object":"list","data":[{"embedding":[0.1,-2e-5]}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}"""u8);

        Assert.Equal((2, FinishKind.Stop, 2), (chat.Choices, chat.Finish, chat.Usage.OutputTokens));
        Assert.Equal((FinishKind.Length, 2), (message.Finish, message.Usage.OutputTokens));
        Assert.Equal((8, false), (embedding.Usage.PromptTokens, embedding.IsError));
    }

    [Fact]
    public void Read_MutatedPayloads_NeverThrows()
    {
        var chance = new Random(3);
        var original = """{"type":"error","model":"m","choices":[{"delta":{"content":"\ud800","tool_calls":[1]},"finish_reason":"stop"}],"usage":{"prompt_tokens_details":{"cached_tokens":1}},"response":{"model":"x","error":{"message":"y"}},"timings":{"prompt_n":2},"content_block":{"type":"t"}}"""u8.ToArray();
        for (var round = 0; round < 30_000; round++)
        {
            var payload = original.ToArray();
            for (var change = chance.Next(1, 4); change > 0; change--)
            {
                payload[chance.Next(payload.Length)] = "{}[]\",:\\nu01e\0"u8[chance.Next(14)];
            }

            var facts = AnswerFrame.Read(payload);

            Assert.True(facts.ModelValue is not { } at || payload[at][0] == (byte)'"', $"seed 3, round {round}");
        }
    }

    [Fact]
    public void Read_OrdinaryFrame_AllocatesNothing()
    {
        var payload = """{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}"""u8.ToArray();

        var allocated = Allocations.Least(() =>
        {
            for (var i = 0; i < 1_000; i++)
            {
                AnswerFrame.Read(payload);
            }
        });

        Assert.Equal(0, allocated);
    }

    private static AnswerFacts Read(string payload) => AnswerFrame.Read(Encoding.UTF8.GetBytes(payload));

    private static string? Text(string payload, Range? range) => range is { } at ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(payload)[at]) : null;
}
