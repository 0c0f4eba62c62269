using Microsoft.AspNetCore.Http;

namespace Gateway.Simulation.Serving;

/// <summary>A refusal in vLLM's shape: the type is a class name and the code an integer.</summary>
internal sealed record EngineError(int Status, string Type, string Message, string? Param = null)
{
    public static EngineError BadRequest(string message, string? param = null) => new(400, "BadRequestError", message, param);

    public static EngineError NoSuchModel(string model) => new(404, "NotFoundError", $"The model `{model}` does not exist.", "model");

    public static EngineError ContextExceeded(int window, int prompt, int output) => BadRequest(
        $"This model's maximum context length is {window} tokens. However, you requested {prompt + output} tokens ({prompt} in the messages, {output} in the completion). Please reduce the length of the messages or completion.",
        "input_tokens");

    public Task WriteAsync(HttpContext http)
    {
        var isMessages = http.Request.Path.StartsWithSegments("/v1/messages");
        http.Response.StatusCode = Status;
        http.Response.ContentType = "application/json";
        return http.Response.Body.WriteAsync(isMessages ? MessagesBody() : OpenAIBody(), http.RequestAborted).AsTask();
    }

    private byte[] OpenAIBody() => JsonBytes.Of(json =>
    {
        json.WriteStartObject();
        json.WriteStartObject("error");
        json.WriteString("message", Message);
        json.WriteString("type", Type);
        json.WriteString("param", Param);
        json.WriteNumber("code", Status);
        json.WriteEndObject();
        json.WriteEndObject();
    });

    private byte[] MessagesBody() => JsonBytes.Of(json =>
    {
        json.WriteStartObject();
        json.WriteString("type", "error");
        json.WriteStartObject("error");
        json.WriteString("type", Status switch
        {
            401 => "authentication_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            >= 500 => "api_error",
            _ => "invalid_request_error",
        });
        json.WriteString("message", Message);
        json.WriteEndObject();
        json.WriteEndObject();
    });
}
