namespace Gateway.Requests.Sketching;

/// <summary>One word of a text.</summary>
/// <param name="Hash">Of its letters in lower case; never 0.</param>
/// <param name="Number">Its value where it is a number up to 99,999 in figures or a number word; 0: no number.</param>
/// <param name="BeginsLine">First of a line or of a sentence.</param>
internal readonly record struct Word(uint Hash, int Number, bool BeginsLine);

/// <summary>Cuts UTF-8 into words and counts what passes by. Any bytes will do: what is no UTF-8 is read as some letter.</summary>
/// <remarks>Letters and digits make words; a code point of a script without spaces is a word of its own; longer numbers than three digits are all alike.</remarks>
internal ref struct WordReader(ReadOnlySpan<byte> text)
{
    private const uint Seed = 0x811C9DC5;
    private const uint Prime = 0x01000193;
    private const uint LongNumber = 0x5BD1E995;
    private const uint Punctuation = 0x1B873593;

    private readonly ReadOnlySpan<byte> _text = text;
    private int _at;
    private int _words;
    private int _lines;
    private int _questions;
    private int _digits;
    private int _capitals;
    private int _backquotes;
    private int _wide;
    private byte _last;
    private bool _begins = true;

    /// <summary>The numbers of what was read so far.</summary>
    public readonly TextShape Shape => new()
    {
        Words = _words,
        Lines = _lines,
        QuestionMarks = _questions,
        Digits = _digits,
        Capitals = _capitals,
        Fences = _backquotes / 3,
        WideRunes = _wide,
        LastByte = _last,
    };

    public bool Next(out Word word)
    {
        while (_at < _text.Length)
        {
            var first = _text[_at];
            if (first >= 0xE2 && IsWide(first))
            {
                word = TakeWide(first);
                return true;
            }
            if (IsLetter(first))
            {
                word = TakeWord();
                return true;
            }
            Pass(first);
            if (first is (byte)'?' or (byte)':' or (byte)'`' or (byte)'=' or (byte)'{')
            {
                // These tell questions, lists to come and code apart.
                word = Taken((first * Prime) ^ Punctuation, 0);
                return true;
            }
        }
        word = default;
        return false;
    }

    private static bool IsLetter(byte b) => b >= 0x80 || (uint)((b | 0x20) - 'a') < 26 || (uint)(b - '0') < 10 || b == (byte)'\'';

    // From U+2E80 on: lead bytes E2 BA and above.
    private readonly bool IsWide(byte first) => first > 0xE2 || (_at + 1 < _text.Length && _text[_at + 1] >= 0xBA);

    private void Pass(byte b)
    {
        _at++;
        if (b > (byte)' ')
        {
            _last = b;
        }
        _questions += b == (byte)'?' ? 1 : 0;
        _backquotes += b == (byte)'`' ? 1 : 0;
        _lines += b == (byte)'\n' ? 1 : 0;
        _begins |= b is (byte)'\n' or (byte)'.' or (byte)'!' or (byte)'?' or (byte)':';
    }

    private Word TakeWide(byte first)
    {
        var length = Math.Min(first >= 0xF0 ? 4 : 3, _text.Length - _at);
        var hash = Seed;
        foreach (var b in _text.Slice(_at, length))
        {
            hash = (hash ^ b) * Prime;
        }
        _at += length;
        _wide++;
        _last = first;
        return Taken(hash, 0);
    }

    private Word TakeWord()
    {
        var (hash, digits, value, start) = (Seed, 0, 0, _at);
        for (; _at < _text.Length && IsLetter(_text[_at]); _at++)
        {
            var b = _text[_at];
            if (b >= 0xE2 && IsWide(b))
            {
                break;
            }
            if ((uint)(b - '0') < 10)
            {
                digits++;
                value = Math.Min(99_999, (value * 10) + (b - '0'));
            }
            else if ((uint)(b - 'A') < 26)
            {
                _capitals++;
                b |= 0x20;
            }
            hash = (hash ^ b) * Prime;
        }
        _last = _text[_at - 1];
        _digits += digits;
        var isNumber = digits == _at - start;
        return Taken(isNumber && digits > 3 ? LongNumber : hash, isNumber ? value : WordTable.NumberOf(hash));
    }

    private Word Taken(uint hash, int number)
    {
        var word = new Word(hash == 0 ? 1 : hash, number, _begins);
        _begins = false;
        _words++;
        return word;
    }

    /// <summary>The hash that a word in lower case has.</summary>
    public static uint HashOf(ReadOnlySpan<byte> lower)
    {
        var hash = Seed;
        foreach (var b in lower)
        {
            hash = (hash ^ b) * Prime;
        }
        return hash;
    }
}
