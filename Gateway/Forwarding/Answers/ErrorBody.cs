using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gateway.Requests;

namespace Gateway.Forwarding.Answers;

/// <summary>One error in the gateway's own terms, before it takes an API's shape.</summary>
/// <param name="Status">The HTTP status, also where the status line has gone out already.</param>
/// <param name="Type">OpenAI's type, such as <c>invalid_request_error</c>; Anthropic's follows from the status.</param>
/// <param name="Code">The exact cause; also the value of <c>x-gateway-reason</c>.</param>
/// <param name="Message">What is wrong and what to do.</param>
/// <param name="Param">The offending field; null when none.</param>
public readonly record struct WireError(int Status, string Type, string Code, string Message, string? Param = null)
{
    /// <summary>What an engine said within a stream, in the gateway's terms.</summary>
    public static WireError Of(EngineErrorBody error)
    {
        var words = error.Message.Length > 0 ? error.Message : "The engine failed within this answer. Send the request again.";
        return error.IsContextLength ? new(400, "invalid_request_error", "context_length_exceeded", words)
            : error.IsClientFault ? new(400, "invalid_request_error", error.Word ?? "invalid_request", words)
            : new(502, "server_error", "upstream_error", words);
    }
}

/// <summary>Writes errors in the shapes of the APIs. Pure: bytes out, nothing else.</summary>
public static class ErrorBody
{
    // The answers are JSON, never HTML: escaping quotes and umlauts beyond what JSON asks only hurts the reader.
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The whole body of an error answer.</summary>
    public static byte[] Write(ApiFamily family, in WireError error, string requestId)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        Write(buffer, family, error, requestId);
        return buffer.WrittenSpan.ToArray();
    }

    public static void Write(IBufferWriter<byte> destination, ApiFamily family, in WireError error, string requestId)
    {
        using var json = new Utf8JsonWriter(destination, Relaxed);
        if (family == ApiFamily.Anthropic)
        {
            WriteAnthropic(json, error, requestId);
        }
        else
        {
            WriteOpenAi(json, error);
        }
    }

    /// <summary>The event that ends a stream that cannot go on; no <c>[DONE]</c> follows it.</summary>
    /// <param name="route">Decides the shape.</param>
    /// <param name="error">What went wrong.</param>
    /// <param name="requestId">Named by Anthropic's shape only.</param>
    /// <param name="sequenceNumber">The next number of a Responses stream; unused elsewhere.</param>
    public static byte[] WriteStreamEnd(ApiRoute route, in WireError error, string requestId, int sequenceNumber = 0)
    {
        var buffer = new ArrayBufferWriter<byte>(320);
        buffer.Write(route.Kind is ApiKind.Responses or ApiKind.Messages ? "event: error\ndata: "u8 : "data: "u8);
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
        {
            switch (route.Kind)
            {
                case ApiKind.Responses:
                    json.WriteStartObject();
                    json.WriteString("type"u8, "error"u8);
                    json.WriteString("code"u8, error.Code);
                    json.WriteString("message"u8, error.Message);
                    WriteParam(json, error.Param);
                    json.WriteNumber("sequence_number"u8, sequenceNumber);
                    json.WriteEndObject();
                    break;
                case ApiKind.Messages:
                    WriteAnthropic(json, error, requestId);
                    break;
                default:
                    WriteOpenAi(json, error);
                    break;
            }
        }

        buffer.Write("\n\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Anthropic's error type for a status.</summary>
    public static string AnthropicType(int status) => status switch
    {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        < 500 => "invalid_request_error",
        _ => "api_error",
    };

    private static void WriteOpenAi(Utf8JsonWriter json, in WireError error)
    {
        json.WriteStartObject();
        json.WriteStartObject("error"u8);
        json.WriteString("message"u8, error.Message);
        json.WriteString("type"u8, error.Type);
        WriteParam(json, error.Param);
        json.WriteString("code"u8, error.Code);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteAnthropic(Utf8JsonWriter json, in WireError error, string requestId)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "error"u8);
        json.WriteStartObject("error"u8);
        json.WriteString("type"u8, AnthropicType(error.Status));
        json.WriteString("message"u8, error.Message);
        json.WriteEndObject();
        json.WriteString("request_id"u8, requestId);
        json.WriteEndObject();
    }

    private static void WriteParam(Utf8JsonWriter json, string? param)
    {
        if (param is null)
        {
            json.WriteNull("param"u8);
        }
        else
        {
            json.WriteString("param"u8, param);
        }
    }
}
