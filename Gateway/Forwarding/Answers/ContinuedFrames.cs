using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gateway.Requests;

namespace Gateway.Forwarding.Answers;

/// <summary>Makes the events of an answer's second stream look like those of its first: one id, time and model, one count of tokens, one beginning. One stream, one thread.</summary>
/// <remarks>
/// The stream either goes on from the text that was sent, whose tokens the engine then counts as prompt; or it begins anew, and its beginning must be that text and stays here.
/// </remarks>
internal sealed class ContinuedFrames
{
    private readonly int _sentTokens;
    private readonly byte[]? _id;
    private readonly byte[]? _created;
    private readonly byte[]? _model;
    private byte[] _toSkip;

    /// <param name="head">The first stream's first event; null: none came.</param>
    /// <param name="sentTokens">Output tokens that are part of the prompt now; 0 where the stream begins anew.</param>
    /// <param name="toSkip">Text with which the stream has to begin, and which the client has, as UTF-8.</param>
    public ContinuedFrames(byte[]? head, int sentTokens, byte[] toSkip)
    {
        _sentTokens = sentTokens;
        _toSkip = toSkip;
        if (head is null)
        {
            return;
        }
        var json = new Utf8JsonReader(head);
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var (isId, isCreated, isModel) = (json.Is("id"u8), json.Is("created"u8), json.Is("model"u8));
            json.Read();
            var start = (int)json.TokenStartIndex;
            json.Skip();
            var value = isId || isCreated || isModel ? head[start..(int)json.BytesConsumed] : null;
            (_id, _created, _model) = (isId ? value : _id, isCreated ? value : _created, isModel ? value : _model);
        }
    }

    /// <summary>Whether the stream did not begin with the text that it had to: nothing of it fits.</summary>
    public bool HasDiverged { get; private set; }

    /// <summary>The stream says that it is whole: it must not end before it came to what the client has.</summary>
    public void NoteEnd() => HasDiverged |= _toSkip.Length > 0;

    /// <summary>The event as a part of the first stream; null: it stays here.</summary>
    /// <param name="payload">Its data.</param>
    /// <param name="facts">What it says.</param>
    public byte[]? Rewrite(ReadOnlySpan<byte> payload, in AnswerFacts facts)
    {
        if (facts.Shape != AnswerShape.JsonObject || facts.IsError)
        {
            return payload.ToArray();
        }
        var edits = new List<(int Start, int End, byte[] Bytes)>();
        if (!FitsText(payload, facts, edits) || IsOnlyBeginning(facts))
        {
            return null;
        }
        FindEdits(payload, Math.Max(0, (facts.Usage.PromptTokens ?? 0) - _sentTokens), edits);
        edits.Sort(static (a, b) => a.Start.CompareTo(b.Start));
        var written = new List<byte>(payload.Length + 64);
        var from = 0;
        foreach (var (start, end, bytes) in edits)
        {
            written.AddRange(payload[from..start]);
            written.AddRange(bytes);
            from = end;
        }
        written.AddRange(payload[from..]);
        return [.. written];
    }

    // An event with only the role or an empty text: the client got it with the first stream.
    private static bool IsOnlyBeginning(in AnswerFacts facts) => facts is { HasContent: false, IsTerminal: false, Choices: > 0 };

    /// <summary>Takes off what the client has; false: nothing of the event is left, or it does not fit.</summary>
    private bool FitsText(ReadOnlySpan<byte> payload, in AnswerFacts facts, List<(int Start, int End, byte[] Bytes)> edits)
    {
        if (facts.HasOtherContent || facts.Choices > 1)
        {
            HasDiverged = true;
            return false;
        }
        if (_toSkip.Length == 0)
        {
            return true;
        }
        if (facts.TextValue is not { } place)
        {
            HasDiverged = facts.IsTerminal;
            return false;
        }
        var common = SentText.TryUnescape(payload[place], out var text) ? Math.Min(text.Length, _toSkip.Length) : 0;
        if (common == 0 || !text.AsSpan(0, common).SequenceEqual(_toSkip.AsSpan(0, common)) || (facts.IsTerminal && text.Length < _toSkip.Length))
        {
            HasDiverged = true;
            return false;
        }
        _toSkip = _toSkip[common..];
        if (text.Length == common && !facts.IsTerminal)
        {
            return false;
        }
        var rest = JsonEncodedText.Encode(text.AsSpan(common), JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes.ToArray();
        edits.Add((place.Start.Value, place.End.Value, rest));
        return true;
    }

    private void FindEdits(ReadOnlySpan<byte> payload, int promptTokens, List<(int Start, int End, byte[] Bytes)> edits)
    {
        var json = new Utf8JsonReader(payload);
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var value = json.Is("id"u8) ? _id : json.Is("created"u8) ? _created : json.Is("model"u8) ? _model : null;
            var isUsage = json.Is("usage"u8);
            json.Read();
            if (isUsage && json.TokenType == JsonTokenType.StartObject)
            {
                FindCounts(ref json, promptTokens, edits);
                continue;
            }
            var start = (int)json.TokenStartIndex;
            json.Skip();
            if (value is not null)
            {
                edits.Add((start, (int)json.BytesConsumed, value));
            }
        }
    }

    // The engine counts the beginning of the answer as prompt; it is moved back to the output, and the total stays.
    private void FindCounts(ref Utf8JsonReader json, int promptTokens, List<(int Start, int End, byte[] Bytes)> edits)
    {
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var (isPrompt, isAnswer, isCached) =
                (json.Is("prompt_tokens"u8), json.Is("completion_tokens"u8), json.Is("cached_tokens"u8));
            var isDetail = json.Is("prompt_tokens_details"u8);
            json.Read();
            if (isDetail && json.TokenType == JsonTokenType.StartObject)
            {
                FindCounts(ref json, promptTokens, edits);
                continue;
            }
            if ((isPrompt || isAnswer || isCached) && json.TokenType == JsonTokenType.Number && json.TryGetInt32(out var count))
            {
                var told = isPrompt ? promptTokens : isAnswer ? count + _sentTokens : Math.Min(count, promptTokens);
                edits.Add(((int)json.TokenStartIndex, (int)json.BytesConsumed, Encoding.ASCII.GetBytes(told.ToString(CultureInfo.InvariantCulture))));
            }
            json.Skip();
        }
    }
}
