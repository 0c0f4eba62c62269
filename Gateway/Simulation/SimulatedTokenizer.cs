namespace Gateway.Simulation;

/// <summary>
/// Text to tokens without a vocabulary: a token begins at every space or line break, and after <see cref="MostBytes"/> bytes; about four bytes of English
/// each. The tokens of a text are those of its beginning plus those of the rest, wherever the rest begins with a space.
/// </summary>
public static class SimulatedTokenizer
{
    /// <summary>Longest token, in bytes of UTF-8.</summary>
    public const int MostBytes = 6;

    /// <summary>Bytes of the token that begins at <paramref name="start"/>.</summary>
    public static int TokenLength(ReadOnlySpan<byte> text, int start)
    {
        var end = Math.Min(text.Length, start + MostBytes);
        var next = start + 1;
        while (next < end && text[next] is not ((byte)' ' or (byte)'\n'))
        {
            next++;
        }

        return next - start;
    }

    public static int Count(ReadOnlySpan<byte> text)
    {
        var tokens = 0;
        for (var start = 0; start < text.Length; start += TokenLength(text, start))
        {
            tokens++;
        }

        return tokens;
    }

    /// <summary>Chained hashes of the full blocks of a text, each covering all before it and the salt.</summary>
    public static List<ulong> BlockHashes(ReadOnlySpan<byte> text, int blockTokens, ulong salt)
    {
        var hashes = new List<ulong>((text.Length / (4 * blockTokens)) + 1);
        var (tokens, blockStart) = (0, 0);
        for (var start = 0; start < text.Length;)
        {
            start += TokenLength(text, start);
            if (++tokens % blockTokens == 0)
            {
                salt = Hashing.Chain(salt, text[blockStart..start]);
                hashes.Add(salt);
                blockStart = start;
            }
        }

        return hashes;
    }
}
