using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gateway.Requests;

/// <summary>The beginning of an answer that is to be continued.</summary>
/// <param name="Text">Inside of a JSON string: without quotes, escapes as written; not empty.</param>
/// <param name="Tokens">Output tokens in it, as best known.</param>
public readonly record struct AnswerBeginning(ReadOnlyMemory<byte> Text, int Tokens);

/// <summary>The edits that make a request ask for the rest of an answer instead of the whole. Positions are byte offsets into the client's body.</summary>
/// <remarks>Reads the body once more: only a request whose stream broke pays for it.</remarks>
public sealed class ContinuedBody
{
    // With one of these members another engine would not write the same continuation.
    private static readonly byte[][] Unfit = Array.ConvertAll(
    [
        "echo", "suffix", "use_beam_search", "truncate_prompt_tokens", "prompt_embeds", "return_token_ids", "include_stop_str_in_output",
        "continue_final_message", "add_generation_prompt",
    ], Encoding.UTF8.GetBytes);

    private static readonly byte[] FlagMembers = "\"continue_final_message\":true,\"add_generation_prompt\":false"u8.ToArray();

    private readonly List<(Range Place, byte[] Bytes)> _edits = [];

    private ContinuedBody()
    {
    }

    internal IReadOnlyList<(Range Place, byte[] Bytes)> Edits => _edits;

    /// <summary>Members to insert; null: none.</summary>
    internal byte[]? Members { get; private init; }

    /// <summary>How to ask for the rest; null: this request cannot be continued, or nothing is left to ask for.</summary>
    /// <param name="body">The body as the client sent it; it was read without a problem.</param>
    /// <param name="route">Chat or text completions.</param>
    /// <param name="beginning">What came of the answer.</param>
    public static ContinuedBody? Of(ReadOnlySpan<byte> body, ApiRoute route, AnswerBeginning beginning)
    {
        var isChat = route.Kind == ApiKind.ChatCompletions;
        var continued = new ContinuedBody { Members = isChat ? FlagMembers : null };
        return continued.Read(body, isChat, beginning) ? continued : null;
    }

    private bool Read(ReadOnlySpan<byte> body, bool isChat, AnswerBeginning beginning)
    {
        var offset = body.StartsWith("\uFEFF"u8) ? 3 : 0;
        var json = new Utf8JsonReader(body[offset..], new JsonReaderOptions { MaxDepth = BodyReader.MaxDepth });
        var (hasPlace, hasLimit) = (false, false);
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var isPlace = json.Is(isChat ? "messages"u8 : "prompt"u8);
            var isMost = json.Is("max_tokens"u8) || (isChat && json.Is("max_completion_tokens"u8));
            var isLeast = json.Is("min_tokens"u8);
            var isUnfit = IsUnfit(ref json);
            json.Read();
            if (isUnfit && json.TokenType is not (JsonTokenType.Null or JsonTokenType.False))
            {
                return false;
            }
            if (isPlace)
            {
                // A member that occurs twice: engines differ in which of the two they take.
                if (hasPlace || !Append(ref json, offset, isChat, beginning))
                {
                    return false;
                }
                hasPlace = true;
            }
            else if ((isMost || isLeast) && json.TokenType == JsonTokenType.Number && json.TryGetInt32(out var tokens))
            {
                if (isMost && tokens <= beginning.Tokens)
                {
                    return false;
                }
                hasLimit |= isMost;
                var left = Math.Max(0, tokens - beginning.Tokens).ToString(CultureInfo.InvariantCulture);
                _edits.Add((((int)json.TokenStartIndex + offset)..((int)json.BytesConsumed + offset), Encoding.ASCII.GetBytes(left)));
            }
            json.Skip();
        }
        // Without a limit each engine ends a text completion after a number of its own.
        return hasPlace && (isChat || hasLimit);
    }

    private static bool IsUnfit(ref Utf8JsonReader json)
    {
        foreach (var name in Unfit)
        {
            if (json.Is(name))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Puts the text behind the prompt, or into a last message of the assistant's. Leaves the reader on the value's last token.</summary>
    private bool Append(ref Utf8JsonReader json, int offset, bool isChat, AnswerBeginning beginning)
    {
        if (json.TokenType != (isChat ? JsonTokenType.StartArray : JsonTokenType.String))
        {
            return false;
        }
        if (isChat)
        {
            json.Skip();
        }
        var end = (int)json.BytesConsumed + offset - 1;
        byte[] bytes = isChat
            ? [.. ",{\"role\":\"assistant\",\"content\":\""u8, .. beginning.Text.Span, .. "\"}"u8]
            : beginning.Text.ToArray();
        _edits.Add((end..end, bytes));
        return true;
    }
}
