using Gateway.Requests;

namespace Gateway.Tests.Forwarding;

/// <content>Streams of the Responses and the Messages API, whose events have names.</content>
public sealed partial class AnswerStreamTests
{
    private const string ResponsesDelta = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\",\"sequence_number\":0}\n\n";

    [Fact]
    public async Task Read_OfAResponsesStreamThatIsCut_CountsItsErrorOn()
    {
        const string begin = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"},\"sequence_number\":6}\n\n"
            + "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\",\"sequence_number\":7}\n\n";
        await using var stream = Stream(new ScriptedStream(Cut(begin, 100)), route: ApiRoute.Responses);

        var received = await ReadAllAsync(stream);

        Assert.StartsWith(begin + "event: error\ndata: {\"type\":\"error\"", received, StringComparison.Ordinal);
        Assert.EndsWith("\"sequence_number\":8}\n\n", received, StringComparison.Ordinal);
    }

    // The first event tells the input, and a count of output from before there was any.
    [Theory]
    [InlineData(false, 3)]
    [InlineData(true, 7)]
    public async Task Read_OfAMessagesStream_CountsTheOutputAsFarAsItIsKnown(bool isWhole, int outputTokens)
    {
        const string start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n";
        const string delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";
        const string end = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n"
            + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        await using var stream = Stream(new ScriptedStream(Cut(start + delta + delta + delta + (isWhole ? end : ""), 100)), route: ApiRoute.Messages);

        await ReadAllAsync(stream);

        Assert.Equal((isWhole, outputTokens, 9), (_answer.IsComplete, _answer.OutputTokens, _answer.Usage.PromptTokens!.Value));
    }

    [Fact]
    public async Task Read_OfAFailedResponse_PassesTheApisOwnEvent()
    {
        const string failed = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"model\":\"up\",\"error\":{\"code\":\"server_error\",\"message\":\"x\"}},\"sequence_number\":1}\n\n";
        await using var stream = Stream(new ScriptedStream(Cut(ResponsesDelta + failed, 100)), alias: "alias", route: ApiRoute.Responses);

        Assert.Equal(ResponsesDelta + failed.Replace("\"up\"", "\"alias\"", StringComparison.Ordinal), await ReadAllAsync(stream));
    }

    // Its last event repeats the whole answer, and may be longer than what is read of one.
    [Theory, MemberData(nameof(Chunkings))]
    public async Task Read_OfAResponsesStreamWithALastEventTooLongToRead_IsWhole(int chunk)
    {
        var last = $"event: response.completed\r\ndata: {{\"response\":{{\"output\":\"{new string('x', 5_000)}\"}},\"type\":\"response.completed\"}}\r\n\r\n";
        await using var stream = Stream(new ScriptedStream(Cut(ResponsesDelta + last, chunk)), maxFrameBytes: 1_024, route: ApiRoute.Responses);

        Assert.Equal(ResponsesDelta + last, await ReadAllAsync(stream));
        Assert.Equal((true, false), (_answer.IsComplete, _answer.IsBroken));
    }

    [Theory]
    [InlineData("event: response.completed", "")]
    [InlineData("event: response.output_text.done", "\n\n")]
    public async Task Read_OfAResponsesStreamThatIsCutInOrBehindAnEventTooLongToRead_SaysSo(string name, string end)
    {
        var open = $"{name}\ndata: {{\"text\":\"{new string('x', 5_000)}\"}}{end}";
        await using var stream = Stream(new ScriptedStream(Cut(open, 700)), maxFrameBytes: 1_024, route: ApiRoute.Responses);

        Assert.StartsWith(open.TrimEnd() + "\n\nevent: error\n", await ReadAllAsync(stream), StringComparison.Ordinal);
        Assert.Equal((false, true), (_answer.IsComplete, _answer.IsBroken));
    }
}
