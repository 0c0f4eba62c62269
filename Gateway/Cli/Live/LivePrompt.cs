using System.Text;
using Gateway.Replay.Traces;
using Gateway.Simulation;

namespace Gateway.Cli.Live;

/// <summary>
/// The text of a prompt: the row's own, or words made up to its length. Rows whose leading blocks agree get text that agrees as far, and differs from there.
/// Every word is a space and three letters of everyday English, which the usual vocabularies hold as one token.
/// </summary>
internal static class LivePrompt
{
    /// <summary>Bytes of a made-up token.</summary>
    public const int TokenBytes = 4;

    /// <summary>Longest prompt that is made up, in tokens.</summary>
    public const int MostTokens = 16 << 20;

    private const int WordBits = 6;
    private const int WordsPerDraw = 10;

    private static ReadOnlySpan<byte> Words =>
        " the and for are but not you all any can had her was one our out day get has him his how man new now old see two way who boy did"u8
        + " let put say she too use big end far few got hot job key law lot low men own pay red run sea set sit six ten top try war win yes"u8;

    /// <param name="row">Its input tokens are at most <see cref="MostTokens"/>.</param>
    /// <param name="ordinal">Tells the rows of a workload apart.</param>
    /// <param name="seed">Tells runs apart.</param>
    /// <returns>UTF-8.</returns>
    public static byte[] Write(TraceRequest row, long ordinal, int seed)
    {
        if (row.Prompt is { } own)
        {
            return Encoding.UTF8.GetBytes(own);
        }
        var text = new byte[row.InputTokens * TokenBytes];
        var rest = text.AsSpan();
        var salt = Hashing.Mix((ulong)seed);
        foreach (var block in row.Blocks.Span)
        {
            var part = Math.Min(rest.Length, row.BlockTokens * TokenBytes);
            Fill(rest[..part], Hashing.Mix(block ^ salt));
            rest = rest[part..];
        }
        Fill(rest, Hashing.Mix((ulong)ordinal + salt));
        return text;
    }

    private static void Fill(Span<byte> text, ulong state)
    {
        while (!text.IsEmpty)
        {
            state += 0x9E3779B97F4A7C15UL;
            var draw = Hashing.Mix(state);
            for (var word = 0; word < WordsPerDraw && !text.IsEmpty; word++)
            {
                var at = (int)(draw & ((1 << WordBits) - 1)) * TokenBytes;
                Words.Slice(at, TokenBytes).CopyTo(text);
                text = text[TokenBytes..];
                draw >>= WordBits;
            }
        }
    }
}
