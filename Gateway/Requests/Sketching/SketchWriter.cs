using System.Numerics;

namespace Gateway.Requests.Sketching;

/// <summary>Reads a text once and writes its sketch. Work is bounded by <see cref="TextBytes"/>, whatever the text holds.</summary>
/// <param name="text">Room for the text, <see cref="TextBytes"/> long; overwritten.</param>
internal ref struct SketchWriter(Span<byte> text)
{
    /// <summary>Most bytes that are read of one text.</summary>
    public const int TextBytes = HeadBytes + TailBytes;

    // The question stands at the start or the end of a long message; its middle is the material to work on, and is skipped.
    private const int HeadBytes = 768;
    private const int TailBytes = 1280;

    // Words up to this position also count as opening words, since the opening names the task.
    private const int Opening = 10;

    private const uint FirstSalt = 0x2545F491;
    private const uint PairSalt = 0x9E3779B1;
    private const uint LineSalt = 0x85EBCA6B;
    private const uint LastSalt = 0xC2B2AE35;
    private const uint OpeningSalt = 0x27D4EB2F;

    private readonly Span<byte> _text = text;
    private int _filled;
    private int _bytes;

    /// <summary>Sketches what was gathered, and nothing else.</summary>
    public TextSketch Finish() => Read(_text[.._filled]);

    /// <summary>Sketches a plain text: its head and its tail where it is longer than <see cref="TextBytes"/>.</summary>
    public TextSketch Finish(ReadOnlySpan<byte> plain)
    {
        _bytes = plain.Length;
        if (plain.Length <= TextBytes)
        {
            return Read(plain);
        }
        plain[..HeadBytes].CopyTo(_text);
        plain[^TailBytes..].CopyTo(_text[HeadBytes..]);
        return Read(_text);
    }

    /// <summary>Takes the pieces of a message, JSON escapes as written; once.</summary>
    public void Gather(ReadOnlySpan<byte> body, ReadOnlySpan<(int Start, int Length, PromptPiece Piece)> pieces)
    {
        foreach (var (_, length, piece) in pieces)
        {
            _bytes += piece == PromptPiece.Text ? length : 0;
        }
        var at = 0;
        foreach (var (start, length, piece) in pieces)
        {
            if (piece != PromptPiece.Text)
            {
                continue;
            }
            var raw = body.Slice(start, length);
            if (_bytes <= TextBytes)
            {
                Append(raw);
            }
            else
            {
                Append(raw[..Math.Clamp(HeadBytes - at, 0, length)]);
                // An escape that the cut divides reads as a stray letter or two.
                Append(raw[Math.Clamp(_bytes - TailBytes - at, 0, length)..]);
            }
            at += length;
        }
    }

    private void Append(ReadOnlySpan<byte> raw)
    {
        _filled += JsonText.Unescape(raw, _text[_filled..]);
        if (_filled < _text.Length)
        {
            _text[_filled++] = (byte)'\n';
        }
    }

    private readonly TextSketch Read(ReadOnlySpan<byte> read)
    {
        var terms = new TermTable(stackalloc uint[TextSketch.MaxTerms], stackalloc ushort[TermTable.Slots]);
        var request = new UnitReader();
        var words = new WordReader(read);
        var (before, twoBefore) = (0u, 0u);
        for (var i = 0; words.Next(out var word); i++)
        {
            terms.Add(word.Hash);
            if (i > 0)
            {
                terms.Add((BitOperations.RotateLeft(before, 7) * PairSalt) ^ word.Hash);
            }
            if (i < 2)
            {
                terms.Add((word.Hash ^ (BitOperations.RotateLeft(before, 9) * PairSalt)) * FirstSalt);
            }
            if (i == 2)
            {
                terms.Add((BitOperations.RotateLeft(twoBefore, 11) * PairSalt) ^ (BitOperations.RotateLeft(before, 5) * LineSalt) ^ word.Hash);
            }
            if (i < Opening)
            {
                terms.Add(word.Hash * OpeningSalt);
            }
            if (word.BeginsLine)
            {
                terms.Add(word.Hash * LineSalt);
            }
            request.Take(word);
            (twoBefore, before) = (before, word.Hash);
        }
        if (before != 0)
        {
            terms.Add(before * LastSalt);
        }
        return TextSketch.Create(terms.Terms, words.Shape with
        {
            Bytes = _bytes,
            ReadBytes = read.Length,
            RequestedUnits = request.Number,
            Unit = request.Unit,
        });
    }
}
