using System.Buffers;
using System.Collections.Concurrent;

namespace Gateway.Requests.Sketching;

/// <summary>What is kept of a prompt's last message for foreseeing its answer: hashes of words and word pairs, and numbers of its shape. No text.</summary>
/// <remarks>Pooled: give it back when the request has ended, and read it no more. One that is never given back is merely collected.</remarks>
public sealed class TextSketch
{
    /// <summary>Most terms of one sketch.</summary>
    public const int MaxTerms = 768;

    // Sketches kept for reuse; with more requests than that at once, some are allocated.
    private const int MostPooled = 4096;

    private const int CountBits = 4;

    private static readonly ConcurrentQueue<TextSketch> Pool = new();

    private uint[] _terms = [];
    private int _count;

    private TextSketch()
    {
    }

    /// <summary>Hashed terms, each once; <see cref="HashOf"/> and <see cref="CountOf"/> take one apart.</summary>
    public ReadOnlySpan<uint> Terms => _terms.AsSpan(0, _count);

    /// <summary>Numbers of the text.</summary>
    public TextShape Shape { get; private set; }

    /// <summary>The hash of a term, 28 bits.</summary>
    public static uint HashOf(uint term) => term >> CountBits;

    /// <summary>How often a term occurs, 1 to 15; 15 stands for all above.</summary>
    public static int CountOf(uint term) => (int)(term & ((1 << CountBits) - 1));

    /// <summary>A sketch with the given terms, from the pool where it has one.</summary>
    /// <param name="terms">As in <see cref="Terms"/>; what is beyond <see cref="MaxTerms"/> is left out.</param>
    /// <param name="shape">Numbers of the text.</param>
    public static TextSketch Create(ReadOnlySpan<uint> terms, TextShape shape)
    {
        var sketch = Pool.TryDequeue(out var used) ? used : new TextSketch();
        sketch._count = Math.Min(terms.Length, MaxTerms);
        sketch._terms = sketch._count == 0 ? [] : ArrayPool<uint>.Shared.Rent(sketch._count);
        terms[..sketch._count].CopyTo(sketch._terms);
        sketch.Shape = shape;
        return sketch;
    }

    /// <summary>The sketch of a plain text, as of a prompt that holds nothing else.</summary>
    public static TextSketch Of(string text)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        return new SketchWriter(stackalloc byte[SketchWriter.TextBytes]).Finish(bytes);
    }

    /// <summary>Gives it back; at most once.</summary>
    public void Return()
    {
        var terms = _terms;
        (_terms, _count, Shape) = ([], 0, default);
        if (terms.Length > 0)
        {
            ArrayPool<uint>.Shared.Return(terms);
        }
        if (Pool.Count < MostPooled)
        {
            Pool.Enqueue(this);
        }
    }

    internal static uint Pack(uint hash) => (hash << CountBits) | 1;

    internal static uint CountedOnce(uint term) => CountOf(term) < 15 ? term + 1 : term;
}

/// <summary>Numbers of a text, counted over the part that is read; <see cref="Bytes"/> over the whole.</summary>
public readonly record struct TextShape
{
    /// <summary>Bytes of the whole message as written in the body.</summary>
    public int Bytes { get; init; }

    public int Words { get; init; }

    public int Lines { get; init; }

    public int QuestionMarks { get; init; }

    public int Digits { get; init; }

    public int Capitals { get; init; }

    /// <summary>Fences of code blocks, three backquotes each.</summary>
    public int Fences { get; init; }

    /// <summary>Code points from U+2E80 on: the scripts that are written without spaces.</summary>
    public int WideRunes { get; init; }

    /// <summary>Bytes that were read.</summary>
    public int ReadBytes { get; init; }

    /// <summary>The last byte that is no white space; 0 for an empty text.</summary>
    public byte LastByte { get; init; }

    /// <summary>The largest number that stands before a unit, as in "five examples" or "300 words"; 0: none.</summary>
    public int RequestedUnits { get; init; }

    /// <summary>What <see cref="RequestedUnits"/> counts.</summary>
    public RequestedUnit Unit { get; init; }
}

/// <summary>What a text asks for a number of.</summary>
public enum RequestedUnit : byte
{
    None,
    Words,
    Sentences,
    Paragraphs,
    Items,
}
