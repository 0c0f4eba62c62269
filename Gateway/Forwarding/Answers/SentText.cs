using System.Buffers;
using System.Text;
using Gateway.Requests;

namespace Gateway.Forwarding.Answers;

/// <summary>What a client has of a streamed answer's text, kept so that another engine can go on from there. One stream, one thread.</summary>
internal sealed class SentText
{
    /// <summary>Longest text that is kept; a longer answer is not continued.</summary>
    public const int MaxBytes = 256 << 10;

    // A longer first event is not kept: it holds other things than the few values that a continuation needs.
    private const int MaxHeadBytes = 4_096;

    private ArrayBufferWriter<byte> _text = new();

    /// <summary>The first event of the answer: its id, its time and its model hold for all others.</summary>
    public byte[]? Head { get; private set; }

    /// <summary>The text as the inside of a JSON string.</summary>
    public ReadOnlyMemory<byte> Text => _text.WrittenMemory;

    /// <summary>Whether all that the client has is text that is kept here.</summary>
    public bool IsWhole { get; private set; } = true;

    /// <summary>Whether the text ends between two characters, and not in what an engine writes for half of one.</summary>
    public bool EndsInWholeCharacter =>
        _text.WrittenCount == 0 || (TryUnescape(Text.Span, out var plain) && Encoding.UTF8.GetCharCount(plain) > 0 && !Encoding.UTF8.GetString(plain).EndsWith('\uFFFD'));

    /// <summary>Whether requests of a kind are worth the memory: what the body alone forbids is looked at when a stream breaks.</summary>
    public static bool IsFor(InferenceRequest request)
    {
        var body = request.Body;
        var isText = request.Route.Kind == ApiKind.Completions && body is { PromptTokenIds: 0 };
        var isChat = request.Route.Kind == ApiKind.ChatCompletions && body is { Messages: > 0, LastRole: not MessageRole.Assistant };
        return (isText || isChat) && body is
        {
            IsStreaming: true, Choices: 1, Prompts: 1, HasTools: false, HasStructuredOutput: false, WantsLogProbabilities: false, IsPinned: false, PreviousResponseKey: 0,
        };
    }

    /// <summary>An event goes to the client.</summary>
    public void Take(ReadOnlySpan<byte> payload, in AnswerFacts facts)
    {
        if (Head is null && facts.Choices > 0 && payload.Length <= MaxHeadBytes)
        {
            Head = payload.ToArray();
        }
        if (!facts.HasContent || !IsWhole)
        {
            return;
        }
        if (facts.TextValue is not { } place || facts.HasOtherContent || facts.Choices != 1 || _text.WrittenCount + payload.Length > MaxBytes)
        {
            Lose();
            return;
        }
        _text.Write(payload[place]);
    }

    /// <summary>Something goes to the client that is not read.</summary>
    public void Lose()
    {
        IsWhole = false;
        _text = new();
    }

    /// <summary>The text that a JSON string stands for, as UTF-8; false: it is none.</summary>
    public static bool TryUnescape(ReadOnlySpan<byte> written, out byte[] plain)
    {
        plain = new byte[written.Length];
        if (!JsonText.TryUnescape(written, plain, out var length))
        {
            return false;
        }
        Array.Resize(ref plain, length);
        return System.Text.Unicode.Utf8.IsValid(plain);
    }
}
