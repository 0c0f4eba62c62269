using System.Globalization;
using System.Text;

namespace Gateway.Tests.Fuzzing;

/// <summary>Inputs made out of good ones: bytes changed, cut, doubled, mixed, and what parsers stumble over put in between. Decided by its random numbers alone.</summary>
/// <param name="seeds">Good inputs, none of them empty.</param>
/// <param name="words">What is put in, beside a few things that any parser may stumble over.</param>
internal sealed class Mutations(IReadOnlyList<byte[]> seeds, params string[] words)
{
    /// <summary>Longest input that is made.</summary>
    public const int MaxBytes = 32 << 10;

    private static readonly string[] Common =
    [
        "\0", "\n", "\r", "\r\n", "\t", " ", "\"", "\\", "\\u", "\\ud800", "\\u0000", "'", "{", "}", "[", "]", ":", ",", "-", "null", "true", "0", "-1", "1e999", "1e-999", "NaN",
        "2147483648", "-9223372036854775809", "99999999999999999999999999", "\uFEFF", "é", "😀", "\u2028",
    ];

    private readonly byte[][] _words = [.. Common.Concat(words).Select(Encoding.UTF8.GetBytes), [0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xF0, 0x9F]];

    /// <summary>Good inputs as text.</summary>
    public static Mutations Of(IEnumerable<string> seeds, params string[] words) => new([.. seeds.Select(Encoding.UTF8.GetBytes)], words);

    /// <summary>The next input.</summary>
    public byte[] Next(Random chance)
    {
        var input = new List<byte>(seeds[chance.Next(seeds.Count)]);
        for (var edits = chance.Next(1, 7); edits > 0; edits--)
        {
            Edit(input, chance);
        }
        if (input.Count > MaxBytes)
        {
            input.RemoveRange(MaxBytes, input.Count - MaxBytes);
        }
        return [.. input];
    }

    private void Edit(List<byte> input, Random chance)
    {
        var at = chance.Next(input.Count + 1);
        var length = Math.Min(chance.Next(1, 40), input.Count - at);
        switch (chance.Next(9))
        {
            case 0 when at < input.Count:
                input[at] = (byte)chance.Next(256);
                break;
            case 1:
                input.RemoveRange(at, length);
                break;
            case 2:
                input.RemoveRange(at, input.Count - at);
                break;
            case 3:
                input.InsertRange(at, input.GetRange(at, length));
                break;
            case 4:
                Repeat(input, at, chance);
                break;
            case 5:
                Mix(input, at, chance);
                break;
            case 6:
                ReplaceNumber(input, at, chance);
                break;
            default:
                input.InsertRange(at, Word(chance));
                break;
        }
    }

    private byte[] Word(Random chance) => _words[chance.Next(_words.Length)];

    // Deep nesting, long lines, many members.
    private void Repeat(List<byte> input, int at, Random chance)
    {
        var word = Word(chance);
        var times = 1 << chance.Next(1, 13);
        for (var i = 0; i < times && input.Count < MaxBytes; i++)
        {
            input.InsertRange(at, word);
        }
    }

    private void Mix(List<byte> input, int at, Random chance)
    {
        var other = seeds[chance.Next(seeds.Count)];
        var start = chance.Next(other.Length);
        input.InsertRange(at, other.AsSpan(start, Math.Min(other.Length - start, chance.Next(1, 200))).ToArray());
    }

    private static void ReplaceNumber(List<byte> input, int at, Random chance)
    {
        while (at < input.Count && !char.IsAsciiDigit((char)input[at]))
        {
            at++;
        }
        var end = at;
        while (end < input.Count && char.IsAsciiDigit((char)input[end]))
        {
            end++;
        }
        var number = chance.Next(4) switch
        {
            0 => chance.NextInt64(),
            1 => chance.Next(),
            2 => (1L << chance.Next(63)) - chance.Next(2),
            _ => chance.Next(-3, 4),
        };
        input.RemoveRange(at, end - at);
        input.InsertRange(at, Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)));
    }
}
