using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gateway.Simulation.Serving;

/// <summary>All the engine sees of a request, as UTF-8: the chat template's work, done simply. Equal beginnings of conversations give equal beginnings of text.</summary>
internal sealed class PromptText
{
    private readonly ArrayBufferWriter<byte> _text = new(1_024);

    public ReadOnlySpan<byte> Bytes => _text.WrittenSpan;

    /// <summary>Where the last user turn begins; 0 for a bare prompt.</summary>
    public int LastTurn { get; private set; }

    public static PromptText Bare(string text)
    {
        var prompt = new PromptText();
        prompt.Append(text);
        return prompt;
    }

    /// <summary>A conversation; with <paramref name="continuesLast"/> it ends with the last message's text, else with the mark of the assistant's turn.</summary>
    /// <param name="messages">A list of messages, or a string for a single one of the user.</param>
    /// <param name="continuesLast">Whether the last message is the beginning of the answer.</param>
    /// <param name="tools">Tool definitions, which stand first as in most templates; anything but a list: none.</param>
    /// <param name="system">A system prompt beside the messages; null: none.</param>
    /// <param name="before">A conversation to go on from, as <see cref="ToText"/> gave it, with its answer; null: none.</param>
    public static PromptText Chat(JsonElement messages, bool continuesLast, JsonElement tools = default, string? system = null, string? before = null)
    {
        var prompt = new PromptText();
        if (before is not null)
        {
            prompt.Append(before);
        }

        if (tools.ValueKind == JsonValueKind.Array)
        {
            prompt.Append("\n<|tools|>" + tools.GetRawText());
        }

        if (system is not null)
        {
            prompt.Append("\n<|system|>" + system);
        }

        prompt.AppendMessages(messages);
        if (!continuesLast)
        {
            prompt.Append("\n<|assistant|>");
        }

        return prompt;
    }

    /// <summary>The text of a string, of content parts, or of anything else as raw JSON; images and sounds stand for themselves by a hash.</summary>
    public static string TextOf(JsonElement content)
    {
        switch (content.ValueKind)
        {
            case JsonValueKind.String:
                return StringOf(content);
            case JsonValueKind.Array:
                return string.Concat(content.EnumerateArray().Select(PartText));
            case JsonValueKind.Undefined or JsonValueKind.Null:
                return string.Empty;
            default:
                return content.GetRawText();
        }
    }

    /// <summary>A JSON string; one with a lone surrogate, which is no text, keeps its escapes.</summary>
    public static string StringOf(JsonElement value)
    {
        try
        {
            return value.GetString() ?? string.Empty;
        }
        catch (InvalidOperationException)
        {
            return value.GetRawText();
        }
    }

    /// <summary>The number that stands for a token of at most <see cref="SimulatedTokenizer.MostBytes"/> bytes.</summary>
    public static long TokenId(ReadOnlySpan<byte> token)
    {
        var id = 0L;
        for (var index = token.Length - 1; index >= 0; index--)
        {
            id = (id << 8) | token[index];
        }

        return id;
    }

    /// <summary>Appends the token of an id; the opposite of <see cref="TokenId"/>.</summary>
    public void AppendToken(long id)
    {
        var token = _text.GetSpan(sizeof(long));
        var length = 0;
        do
        {
            token[length++] = (byte)id;
            id >>= 8;
        }
        while (id != 0);
        _text.Advance(length);
    }

    /// <summary>The whole text; bytes that are no UTF-8 become replacement characters.</summary>
    public string ToText() => Encoding.UTF8.GetString(_text.WrittenSpan);

    public void Append(string text) => Encoding.UTF8.GetBytes(text, _text);

    private void AppendMessages(JsonElement messages)
    {
        if (messages.ValueKind == JsonValueKind.String)
        {
            Append("\n<|user|>");
            LastTurn = _text.WrittenCount;
            Append(StringOf(messages));
            return;
        }

        foreach (var message in messages.EnumerateArray())
        {
            if (message.ValueKind != JsonValueKind.Object)
            {
                Append(TextOf(message));
                continue;
            }

            var role = message.TryGetProperty("role", out var name) && name.ValueKind == JsonValueKind.String ? StringOf(name) : "user";
            Append($"\n<|{role}|>");
            if (role == "user")
            {
                LastTurn = _text.WrittenCount;
            }

            Append(message.TryGetProperty("content", out var content) ? TextOf(content) : string.Empty);
            if (message.TryGetProperty("tool_calls", out var calls) && calls.ValueKind == JsonValueKind.Array)
            {
                Append(calls.GetRawText());
            }
        }
    }

    private static string PartText(JsonElement part)
    {
        if (part.ValueKind == JsonValueKind.String)
        {
            return StringOf(part);
        }

        if (part.ValueKind == JsonValueKind.Object && part.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String)
        {
            return StringOf(text);
        }

        return $"<|media {Hashing.Chain(0, Encoding.UTF8.GetBytes(part.GetRawText())).ToString("x16", CultureInfo.InvariantCulture)}|>";
    }
}
