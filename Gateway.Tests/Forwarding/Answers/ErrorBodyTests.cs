using System.Text;
using Gateway.Forwarding.Answers;
using Gateway.Requests;

namespace Gateway.Tests.Forwarding.Answers;

public sealed class ErrorBodyTests
{
    private static readonly WireError Full = new(429, "rate_limit_error", "queue_full", "The queue of \"m\" is full;\ntry é later.");

    [Fact]
    public void Write_OpenAi_IsGolden()
    {
        var body = ErrorBody.Write(ApiFamily.OpenAi, new(400, "invalid_request_error", "invalid_value", "Bad.", "max_tokens"), "req_1");

        Assert.Equal("""{"error":{"message":"Bad.","type":"invalid_request_error","param":"max_tokens","code":"invalid_value"}}""", Encoding.UTF8.GetString(body));
    }

    [Fact]
    public void Write_Anthropic_IsGolden()
    {
        var body = ErrorBody.Write(ApiFamily.Anthropic, Full with { Status = 529 }, "req_1");

        Assert.Equal("""{"type":"error","error":{"type":"overloaded_error","message":"The queue of \"m\" is full;\ntry é later."},"request_id":"req_1"}""", Encoding.UTF8.GetString(body));
    }

    [Theory]
    [InlineData(ApiKind.ChatCompletions, "data: {\"error\":{\"message\":\"Cut.\",\"type\":\"server_error\",\"param\":null,\"code\":\"upstream_unreachable\"}}\n\n")]
    [InlineData(ApiKind.Completions, "data: {\"error\":{\"message\":\"Cut.\",\"type\":\"server_error\",\"param\":null,\"code\":\"upstream_unreachable\"}}\n\n")]
    [InlineData(ApiKind.Responses, "event: error\ndata: {\"type\":\"error\",\"code\":\"upstream_unreachable\",\"message\":\"Cut.\",\"param\":null,\"sequence_number\":12}\n\n")]
    [InlineData(ApiKind.Messages, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Cut.\"},\"request_id\":\"req_1\"}\n\n")]
    public void WriteStreamEnd_PerApi_IsGolden(ApiKind kind, string expected)
    {
        var route = ApiRoute.All.First(candidate => candidate.Kind == kind);

        var frame = ErrorBody.WriteStreamEnd(route, new(502, "server_error", "upstream_unreachable", "Cut."), "req_1", 12);

        Assert.Equal(expected, Encoding.UTF8.GetString(frame));
    }

    [Fact]
    public void Write_MessageThatIsNoText_IsStillJson()
    {
        var body = ErrorBody.Write(ApiFamily.OpenAi, new(400, "t", "c", "a\ud800\0b"), "req_1");

        using var json = System.Text.Json.JsonDocument.Parse(body);
        Assert.Equal("a\uFFFD\0b", json.RootElement.GetProperty("error").GetProperty("message").GetString());
    }

    [Theory]
    [InlineData(400, "invalid_request_error")]
    [InlineData(401, "authentication_error")]
    [InlineData(403, "permission_error")]
    [InlineData(404, "not_found_error")]
    [InlineData(413, "request_too_large")]
    [InlineData(415, "invalid_request_error")]
    [InlineData(429, "rate_limit_error")]
    [InlineData(500, "api_error")]
    [InlineData(503, "api_error")]
    [InlineData(504, "timeout_error")]
    [InlineData(529, "overloaded_error")]
    public void AnthropicType_OfEveryStatus_FollowsFromIt(int status, string type) => Assert.Equal(type, ErrorBody.AnthropicType(status));
}
