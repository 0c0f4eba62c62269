using System.Collections.Frozen;
using System.Text;

namespace Gateway.Simulation;

/// <summary>The words that simulated answers are made of: each with a space before it, and exactly one token of <see cref="SimulatedTokenizer"/>.</summary>
public static class SimulatedWords
{
    private static readonly string[] Words =
    [
        "lorem", "ipsum", "dolor", "sit", "amet", "elit", "sed", "magna", "enim", "minim", "quis", "nisi", "ut", "ex", "ea", "duis",
        "aute", "irure", "velit", "esse", "nulla", "sint", "sunt", "culpa", "qui", "anim", "id", "est", "nam", "quam", "vel", "ante",
        "arcu", "augue", "diam", "donec", "eget", "felis", "fusce", "justo", "lacus", "leo", "massa", "mauri", "metus", "mi", "morbi", "neque",
        "nibh", "nunc", "odio", "orci", "pede", "porta", "purus", "risus", "sem", "tellu", "urna", "varus", "vitae", "wisi", "a", "in",
    ];

    private static readonly byte[][] Pieces = [.. Words.Select(word => Encoding.UTF8.GetBytes(" " + word))];

    private static readonly FrozenSet<string> Known = Words.Select(word => " " + word).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>The word that a hash stands for, as UTF-8 with its space.</summary>
    public static byte[] Pick(ulong hash) => Pieces[(int)(hash >> 58)];

    /// <summary>Where the run of such words that ends a text begins; the text's length when it ends otherwise.</summary>
    public static int TailStart(ReadOnlySpan<byte> text)
    {
        Span<char> word = stackalloc char[SimulatedTokenizer.MostBytes];
        var known = Known.GetAlternateLookup<ReadOnlySpan<char>>();
        var start = text.Length;
        while (true)
        {
            var space = text[..start].LastIndexOf((byte)' ');
            var length = start - space;
            if (space < 0 || length is < 2 or > SimulatedTokenizer.MostBytes)
            {
                return start;
            }

            Encoding.Latin1.GetChars(text[space..start], word);
            if (!known.Contains(word[..length]))
            {
                return start;
            }

            start = space;
        }
    }
}
