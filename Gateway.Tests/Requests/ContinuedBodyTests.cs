using System.Text;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Requests;

public sealed class ContinuedBodyTests
{
    private static readonly AnswerBeginning Beginning = new("a \\\"b\\u00e9"u8.ToArray(), 3);

    [Theory]
    [InlineData(
        """{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":10,"max_completion_tokens": 7 ,"min_tokens":2}""",
        """{"continue_final_message":true,"add_generation_prompt":false,"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"a \"b\u00e9"}],"max_tokens":7,"max_completion_tokens": 4 ,"min_tokens":0}""")]
    [InlineData(
        """{"messages":[{"role":"user","content":"x"} ],"model":"m","echo":false}""",
        """{"continue_final_message":true,"add_generation_prompt":false,"messages":[{"role":"user","content":"x"} ,{"role":"assistant","content":"a \"b\u00e9"}],"model":"m","echo":false}""")]
    public void Of_AChat_AddsTheTextAsTheAssistantsLastMessage(string body, string expected) => Assert.Equal(expected, Splice(body, ApiRoute.ChatCompletions));

    [Fact]
    public void Of_ATextCompletion_AddsTheTextToThePrompt() => Assert.Equal(
        """{"model":"m","prompt":"x\n😀a \"b\u00e9","max_tokens":97}""",
        Splice("""{"model":"m","prompt":"x\n😀","max_tokens":100}""", ApiRoute.Completions));

    // The base library throws when it compares such a name with one that begins alike.
    [Fact]
    public void Of_ABodyWithHalfASurrogatePairInAName_PassesThatMember() => Assert.Equal(
        """{"model":"m","max_\ud800okens":1,"prompt":"xa \"b\u00e9","max_tokens":97}""",
        Splice("""{"model":"m","max_\ud800okens":1,"prompt":"x","max_tokens":100}""", ApiRoute.Completions));

    [Theory]
    [InlineData("/v1/completions", """{"model":"m","prompt":"x"}""")]
    [InlineData("/v1/completions", """{"model":"m","prompt":["x"],"max_tokens":100}""")]
    [InlineData("/v1/completions", """{"model":"m","prompt":"x","prompt":"y","max_tokens":100}""")]
    [InlineData("/v1/completions", """{"model":"m","prompt":"x","max_tokens":100,"echo":true}""")]
    [InlineData("/v1/completions", """{"model":"m","prompt":"x","max_tokens":100,"suffix":"y"}""")]
    [InlineData("/v1/completions", """{"model":"m","prompt":"x","max_tokens":3}""")]
    [InlineData("/v1/chat/completions", """{"model":"m","messages":[{"role":"user","content":"x"}],"use_beam_search":true}""")]
    [InlineData("/v1/chat/completions", """{"model":"m","messages":[{"role":"user","content":"x"}],"add_generation_prompt":true}""")]
    [InlineData("/v1/chat/completions", """{"model":"m","messages":[{"role":"user","content":"x"}],"max_completion_tokens":2}""")]
    [InlineData("/v1/chat/completions", """{"model":"m"}""")]
    public void Of_ARequestThatCannotBeContinued_IsNull(string path, string body) =>
        Assert.Null(ContinuedBody.Of(Encoding.UTF8.GetBytes(body), path == "/v1/completions" ? ApiRoute.Completions : ApiRoute.ChatCompletions, Beginning));

    private static string Splice(string text, ApiRoute route)
    {
        var body = Encoding.UTF8.GetBytes(text);
        Assert.Null(BodyReader.Read(body, route, new PrefixHasher(1), out var facts, out _));
        var spliced = BodySplicer.Splice(body, route, facts, new BodyChanges(Continued: ContinuedBody.Of(body, route, Beginning)));
        return Encoding.UTF8.GetString(spliced.Bytes());
    }
}
