using System.Buffers;

namespace Gateway.Forwarding.Answers;

/// <summary>Recognises a stream event that differs from an earlier one only in its text, so that it need not be parsed. One stream, one thread.</summary>
/// <remarks>
/// Engines write the chunks of an answer by one form: a few hundred bytes of which only the token changes. The bytes <c>"content":"</c> cannot stand
/// inside a JSON string, where quotes are escaped, so that what follows is a member's text; any other text without quotes, escapes and control
/// characters leaves the event valid and says the same. Parsing each event was an eighth of the processor time of a stream.
/// </remarks>
internal sealed class FrameTemplate
{
    private const int LongestBytes = 2_048;

    // After this many events that differ, no template is tried any more.
    private const int MostMisses = 16;

    private static readonly SearchValues<byte> Ends =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(control => (byte)control), (byte)'"', (byte)'\\']);

    private byte[] _payload = [];
    private int _length;
    private int _textStart;
    private int _textEnd;
    private int _misses;
    private AnswerFacts _facts;

    /// <summary>The facts of an event of the known form; false: it must be parsed.</summary>
    public bool TryRead(ReadOnlySpan<byte> payload, out AnswerFacts facts)
    {
        facts = _facts;
        var text = payload.Length - _length + _textEnd - _textStart;
        facts.TextValue = _textStart..(_textStart + Math.Max(0, text));
        return _length > 0 && text > 0
            && payload.StartsWith(_payload.AsSpan(0, _textStart))
            && payload.EndsWith(_payload.AsSpan(_textEnd, _length - _textEnd))
            && !payload.Slice(_textStart, text).ContainsAny(Ends);
    }

    /// <summary>Takes an event that was parsed as the form of those to come, where it is fit to be one.</summary>
    public void Learn(ReadOnlySpan<byte> payload, in AnswerFacts facts)
    {
        if (_misses > MostMisses)
        {
            _length = 0;
            return;
        }
        if (!facts.HasContent || payload.Length > LongestBytes || !TryFindText(payload, out var start, out var end)
            || facts.TextValue is not { } told || told.Start.Value != start
            || IsBehind(facts.UsageValue, start) || IsBehind(facts.ErrorMessage, start)
            || IsBehind(facts.ModelValue, start) || IsBehind(facts.NestedModelValue, start))
        {
            return;
        }
        _misses++;
        if (_payload.Length < payload.Length)
        {
            _payload = new byte[payload.Length + 32];
        }
        payload.CopyTo(_payload);
        (_length, _textStart, _textEnd, _facts) = (payload.Length, start, end, facts);
    }

    private static bool TryFindText(ReadOnlySpan<byte> payload, out int start, out int end)
    {
        (start, end) = (0, 0);
        if (!TryFind(payload, "\"content\":\""u8, ref start) && !TryFind(payload, "\"text\":\""u8, ref start))
        {
            return false;
        }
        end = start + payload[start..].IndexOfAny(Ends);
        return end > start && payload[end] == (byte)'"';
    }

    private static bool TryFind(ReadOnlySpan<byte> payload, ReadOnlySpan<byte> member, ref int start)
    {
        var at = payload.IndexOf(member);
        start = at + member.Length;
        return at >= 0;
    }

    // Values behind the text move with its length, so their place cannot be fixed.
    private static bool IsBehind(Range? value, int textStart) => value is { } range && range.End.Value > textStart;
}
