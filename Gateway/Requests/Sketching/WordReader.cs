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

    // What a byte is within a word; all but the first take part in one.
    private const byte Other = 0;
    private const byte Letter = 1;
    private const byte Digit = 2;
    private const byte Capital = 3;
    private const byte MayBeWide = 4;

    // One look per byte of every prompt.
    private static readonly byte[] Kinds = MakeKinds();

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
            if (Kinds[first] is not Other and var kind)
            {
                word = kind == MayBeWide && IsWide(_text[_at..]) ? TakeWide(first) : TakeWord();
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

    private static byte[] MakeKinds()
    {
        var kinds = new byte[256];
        for (var b = 0; b < kinds.Length; b++)
        {
            kinds[b] = b switch
            {
                >= '0' and <= '9' => Digit,
                >= 'A' and <= 'Z' => Capital,
                >= 0xE2 => MayBeWide,
                >= 0x80 or '\'' or (>= 'a' and <= 'z') => Letter,
                _ => Other,
            };
        }
        return kinds;
    }

    // From U+2E80 on: lead bytes E2 BA and above.
    private static bool IsWide(ReadOnlySpan<byte> rest) => rest[0] > 0xE2 || (rest.Length > 1 && rest[1] >= 0xBA);

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
        var (hash, digits, value) = (Seed, 0, 0);
        var text = _text[_at..];
        var kinds = Kinds;
        var length = 0;
        for (; length < text.Length; length++)
        {
            var b = text[length];
            var kind = kinds[b];
            if (kind != Letter)
            {
                if (kind == Other || (kind == MayBeWide && IsWide(text[length..])))
                {
                    break;
                }
                if (kind == Digit)
                {
                    digits++;
                    value = Math.Min(99_999, (value * 10) + (b - '0'));
                }
                else if (kind == Capital)
                {
                    _capitals++;
                    b |= 0x20;
                }
            }
            hash = (hash ^ b) * Prime;
        }
        _last = text[length - 1];
        _digits += digits;
        _at += length;
        var isNumber = digits == length;
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
