using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gateway.Forwarding.Answers;

/// <summary>An engine's error, read from whichever of the engines' shapes it has. Immutable.</summary>
/// <param name="Message">The engine's own words, cleaned and bounded; empty when it said nothing readable.</param>
/// <param name="Type">The engine's error type, such as a Python class name; null when absent.</param>
/// <param name="Code">The engine's code as text; null when absent.</param>
/// <param name="IsContextLength">The prompt does not fit the model's window.</param>
/// <param name="IsClientFault">The request is at fault, not the replica: no retry, no mark against the replica.</param>
/// <remarks>401, 403 and 404 are not the client's: the gateway chose the key, the replica and the name it sent.</remarks>
public sealed record EngineErrorBody(string Message, string? Type, string? Code, bool IsContextLength, bool IsClientFault)
{
    /// <summary>Longest body that is read; what lies behind is not looked at.</summary>
    public const int MaxBodyBytes = 64 * 1024;

    private static readonly string[] ContextSigns =
    [
        "context length", "context_length", "context size", "exceed_context_size", "max_model_len", "context window", "too large to process",
        "input is too long", "longer than the maximum", "exceeds the maximum allowed length", "max_total_tokens", "must have less than", "max_input_tokens",
    ];

    // llama.cpp's handlers turn every exception into 500 "server_error", also those that a wrong request raises.
    private static readonly string[] ClientSigns =
        ["[json.exception", "parse error", "failed to parse", "is required", "requires --", "not supported", "unsupported content", "must be an array", "must be a string"];

    private static readonly string[] ClientStarts =
        ["Expected '", "Missing ", "Invalid ", "Unsupported ", "Only one of", "Cannot use", "Either \"", "'messages'", "\"prompt\"", "\"input\""];

    /// <summary>The same, telling the model's public name in place of the engine's.</summary>
    public EngineErrorBody Naming(ModelNames names) => this with { Message = names.InText(Message) };

    /// <summary>The code where it is a word; engines repeat the status there as a number, which says nothing.</summary>
    public string? Word => Code is { Length: > 0 } code && !int.TryParse(code, NumberStyles.Integer, CultureInfo.InvariantCulture, out _) ? code : null;

    /// <param name="body">The error answer's body, or the payload of an error event.</param>
    /// <param name="status">The answer's status; 0 for an error inside a stream.</param>
    public static EngineErrorBody Read(ReadOnlySpan<byte> body, int status)
    {
        var found = default(Fields);
        try
        {
            if (body.Length <= MaxBodyBytes)
            {
                found = ReadFields(body);
            }
        }
        catch (JsonException)
        {
            // HTML of a middlebox, plain text, or nothing: there are no fields, and such text is not for the client.
        }

        var message = ErrorText.Clean(found.Message ?? "");
        var isContext = status != 429 && (Has(found.Message, ContextSigns) || Has(found.Type, ContextSigns) || Has(found.Code, ContextSigns));
        return new(message, Short(found.Type), Short(found.Code), isContext, isContext || IsClients(status, found));
    }

    private static bool IsClients(int status, in Fields found) => status switch
    {
        400 or 405 or 409 or 411 or 413 or 414 or 415 or 422 or 501 => true,
        500 => found.Type is "invalid_request_error" or "BadRequestError" or "not_supported_error"
            || (found is { Type: "server_error", Message: { } message } && (Has(message, ClientSigns) || Starts(message))),
        0 => found.Type is "invalid_request_error" or "BadRequestError" || found.Code is "400" or "422",
        _ => false,
    };

    private static bool Has(string? text, string[] signs) =>
        text is not null && Array.Exists(signs, sign => text.Contains(sign, StringComparison.OrdinalIgnoreCase));

    private static bool Starts(string message) => Array.Exists(ClientStarts, start => message.StartsWith(start, StringComparison.Ordinal));

    private static string? Short(string? text) => text is null ? null : ErrorText.Clean(text.Length > 128 ? text[..128] : text);

    /// <exception cref="JsonException">The body is not JSON.</exception>
    private static Fields ReadFields(ReadOnlySpan<byte> body)
    {
        var json = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 64 });
        var found = default(Fields);
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            return found;
        }

        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueSpan.SequenceEqual("error"u8))
            {
                json.Read();
                ReadInner(ref json, ref found);
            }
            else
            {
                ReadMember(ref json, ref found, isInner: false);
            }
        }

        return found;
    }

    private static void ReadInner(ref Utf8JsonReader json, ref Fields found)
    {
        if (json.TokenType != JsonTokenType.StartObject)
        {
            found.Message = Text(ref json) ?? found.Message;
            json.Skip();
            return;
        }

        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            ReadMember(ref json, ref found, isInner: true);
        }
    }

    private static void ReadMember(ref Utf8JsonReader json, ref Fields found, bool isInner)
    {
        var isMessage = json.ValueSpan.SequenceEqual("message"u8) || json.ValueSpan.SequenceEqual("detail"u8);
        var isType = json.ValueSpan.SequenceEqual("type"u8) || json.ValueSpan.SequenceEqual("error_type"u8);
        var isCode = json.ValueSpan.SequenceEqual("code"u8);
        json.Read();
        if (isMessage && (isInner || found.Message is null))
        {
            found.Message = Text(ref json) ?? Raw(ref json);
        }
        else if (isType && Text(ref json) is { } type && (isInner || (found.Type is null && type != "error")))
        {
            found.Type = type;
        }
        else if (isCode && (isInner || found.Code is null))
        {
            found.Code = Text(ref json) ?? (json.TokenType == JsonTokenType.Number ? Encoding.UTF8.GetString(json.ValueSpan) : null);
        }

        json.Skip();
    }

    /// <summary>FastAPI's validation errors are a list: its text is better than none.</summary>
    private static string? Raw(ref Utf8JsonReader json)
    {
        if (json.TokenType is not (JsonTokenType.StartArray or JsonTokenType.StartObject))
        {
            return null;
        }

        var text = new StringBuilder();
        var depth = json.CurrentDepth;
        while (json.Read() && json.CurrentDepth > depth)
        {
            if (json.TokenType == JsonTokenType.PropertyName && json.ValueSpan.SequenceEqual("msg"u8) && json.Read())
            {
                text.Append(text.Length > 0 ? "; " : "").Append(Text(ref json));
            }
        }

        return text.Length > 0 ? text.ToString() : null;
    }

    private static string? Text(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.String)
        {
            return null;
        }

        try
        {
            return json.GetString();
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair or broken UTF-8 in an engine's message; the base library throws for it.
            return null;
        }
    }

    private struct Fields
    {
        public string? Message;
        public string? Type;
        public string? Code;
    }
}
