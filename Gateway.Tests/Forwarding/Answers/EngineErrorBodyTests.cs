using System.Text;
using Gateway.Forwarding.Answers;

namespace Gateway.Tests.Forwarding.Answers;

public sealed class EngineErrorBodyTests
{
    [Theory]
    [InlineData(400, """{"error":{"message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400}}""", "This model's maximum context length is 4096 tokens.", "BadRequestError", "400", true, true)]
    [InlineData(400, """{"object":"error","message":"bad top_p","type":"BadRequestError","param":null,"code":400}""", "bad top_p", "BadRequestError", "400", false, true)]
    [InlineData(401, """{"error":"Unauthorized"}""", "Unauthorized", null, null, false, false)]
    [InlineData(422, """{"error":"Input validation error: `inputs` must have less than 1024 tokens","error_type":"validation"}""", "Input validation error: `inputs` must have less than 1024 tokens", "validation", null, true, true)]
    [InlineData(424, """{"error":"Request failed during generation","error_type":"generation"}""", "Request failed during generation", "generation", null, false, false)]
    [InlineData(400, """{"error":{"code":400,"message":"the request exceeds it","type":"exceed_context_size_error","n_ctx":512}}""", "the request exceeds it", "exceed_context_size_error", "400", true, true)]
    [InlineData(500, """{"error":{"code":500,"message":"input is too large to process. increase the physical batch size","type":"server_error"}}""", "input is too large to process. increase the physical batch size", "server_error", "500", true, true)]
    [InlineData(500, """{"error":{"code":500,"message":"[json.exception.type_error.302] type must be string","type":"server_error"}}""", "[json.exception.type_error.302] type must be string", "server_error", "500", false, true)]
    [InlineData(500, """{"error":{"code":500,"message":"CUDA error: out of memory","type":"server_error"}}""", "CUDA error: out of memory", "server_error", "500", false, false)]
    [InlineData(500, """{"error":{"code":500,"message":"CUDA error: invalid argument","type":"server_error"}}""", "CUDA error: invalid argument", "server_error", "500", false, false)]
    [InlineData(500, """{"error":{"code":500,"message":"Invalid argument","type":"InternalServerError"}}""", "Invalid argument", "InternalServerError", "500", false, false)]
    [InlineData(500, """{"error":{"code":500,"message":"Expected 'messages' to be an array","type":"server_error"}}""", "Expected 'messages' to be an array", "server_error", "500", false, true)]
    [InlineData(500, """{"message":"executor died","type":"server_error","code":500}""", "executor died", "server_error", "500", false, false)]
    [InlineData(422, """{"detail":[{"loc":["body"],"msg":"field required","type":"missing"},{"msg":"bad"}]}""", "field required; bad", null, null, false, true)]
    [InlineData(529, """{"type":"error","error":{"type":"overloaded_error","message":"busy"}}""", "busy", "overloaded_error", null, false, false)]
    [InlineData(429, """{"error":"Model is overloaded","error_type":"overloaded"}""", "Model is overloaded", "overloaded", null, false, false)]
    [InlineData(502, "<html><body>nginx at 10.0.0.1</body></html>", "", null, null, false, false)]
    [InlineData(500, "", "", null, null, false, false)]
    [InlineData(400, "[]", "", null, null, false, true)]
    [InlineData(400, """{"error":{"message":"half \ud800 pair"}}""", "", null, null, false, true)]
    public void Read_EveryEnginesShape_GivesItsWordsAndWhoIsAtFault(int status, string body, string message, string? type, string? code, bool isContext, bool isClient)
    {
        var error = EngineErrorBody.Read(Encoding.UTF8.GetBytes(body), status);

        Assert.Equal(new EngineErrorBody(message, type, code, isContext, isClient), error);
    }

    [Theory]
    [InlineData("failed at http://10.1.2.3:8000/v1/x now", "failed at [address] now")]
    [InlineData("cannot reach engine-0.pool.svc.cluster.local:8000.", "cannot reach [address].")]
    [InlineData("cannot reach localhost:8000 or [::1]:80 or 192.168.0.7", "cannot reach [address] or [address] or [address]")]
    [InlineData("File \"/usr/lib/python3/site-packages/vllm/x.py\", line 5", "File \"[path]\", line 5")]
    [InlineData("open C:\\models\\a.gguf failed", "open [path] failed")]
    [InlineData("model meta-llama/Llama-3 not found; see https://docs.vllm.ai/page and /v1/models", "model meta-llama/Llama-3 not found; see https://docs.vllm.ai/page and /v1/models")]
    [InlineData("line 1\nline\t2\u0000", "line 1 line 2")]
    [InlineData("temperature: 2.5 must be in 0..2, got 1.2.3", "temperature: 2.5 must be in 0..2, got 1.2.3")]
    public void Read_Message_LosesAddressesPathsAndControls(string text, string expected)
    {
        var body = "{\"error\":" + System.Text.Json.JsonSerializer.Serialize(text) + "}";

        Assert.Equal(expected, EngineErrorBody.Read(Encoding.UTF8.GetBytes(body), 500).Message);
    }

    [Fact]
    public void Read_LongMessage_IsBoundedAndQuick()
    {
        foreach (var filler in new[] { "😀", "x😀x😀x", "a/", "/a", "a.", "1.", "a:", "http://", "\\u0000" })
        {
            var text = string.Concat(Enumerable.Repeat(filler, 60_000 / Encoding.UTF8.GetByteCount(filler)));

            var error = EngineErrorBody.Read(Encoding.UTF8.GetBytes("{\"error\":\"" + text + "\"}"), 500);

            Assert.True(error.Message.Length <= 2048);
            Assert.False(error.Message.Length > 0 && char.IsHighSurrogate(error.Message[^1]));
        }
    }
}
