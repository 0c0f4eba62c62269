using System.Buffers.Text;

namespace Gateway.Simulation;

/// <summary>What a request allows its answer to be.</summary>
public readonly record struct AnswerLimits
{
    /// <summary>Most tokens to generate from here on; null when only the context limits.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Least tokens to generate from here on.</summary>
    public int MinTokens { get; init; }

    /// <summary>Whether the answer runs to <see cref="MaxTokens"/> whatever its natural length.</summary>
    public bool IgnoresEnd { get; init; }

    /// <summary>Which of several answers to the same prompt; 0 for the only one.</summary>
    public int Choice { get; init; }
}

/// <summary>The rest of an answer.</summary>
/// <param name="Pieces">UTF-8 of each token to come, each with its leading space.</param>
/// <param name="IsCut">Whether a limit ended it before its natural end.</param>
public readonly record struct SimulatedAnswer(byte[][] Pieces, bool IsCut);

/// <summary>
/// Simulated answers: a pure function of seed, prompt and the text so far. A prompt that already ends with the beginning of its own answer gets the rest, so that
/// a continued answer equals an uncut one byte by byte.
/// </summary>
public static class SimulatedText
{
    /// <summary>Median of the natural length, in tokens.</summary>
    public const int MedianTokens = 96;

    private const int LongestNatural = 2_000;
    private const double Spread = 0.8;

    /// <summary>Answers a prompt.</summary>
    /// <param name="seed">Makes one engine's answers differ from another's.</param>
    /// <param name="prompt">All the engine sees, as UTF-8; may end with the answer so far.</param>
    /// <param name="lastTurn">Where the last user turn begins; a length asked for there ("answer with N tokens", "say N words") is kept exactly.</param>
    /// <param name="limits">Limits on what is still to come.</param>
    public static SimulatedAnswer Answer(ulong seed, ReadOnlySpan<byte> prompt, int lastTurn, AnswerLimits limits)
    {
        var salt = Hashing.Chain(seed, (ulong)limits.Choice);
        var tail = SimulatedWords.TailStart(prompt);
        var state = salt;
        for (int from = 0, split = tail; split <= prompt.Length; from = split, split += SimulatedTokenizer.TokenLength(prompt, split))
        {
            // Hashed piece by piece, as far as the tail goes, so that each split costs only its own word.
            state = Hashing.Chain(state, prompt[from..split]);
            if (split == prompt.Length)
            {
                break;
            }

            if (WordsThatMatch(state, prompt[split..]) is { } given)
            {
                return Rest(state, prompt[Math.Min(lastTurn, split)..split], given, limits);
            }
        }

        return Rest(state, prompt[Math.Min(lastTurn, prompt.Length)..], 0, limits);
    }

    /// <summary>The word at a place of an answer.</summary>
    internal static byte[] Word(ulong state, int index) => SimulatedWords.Pick(Hashing.Chain(state, (ulong)index));

    private static int? WordsThatMatch(ulong state, ReadOnlySpan<byte> text)
    {
        var words = 0;
        while (text.Length > 0)
        {
            var word = Word(state, words);
            if (!text.StartsWith(word) || (text.Length > word.Length && text[word.Length] != ' '))
            {
                return null;
            }

            text = text[word.Length..];
            words++;
        }

        return words;
    }

    private static SimulatedAnswer Rest(ulong state, ReadOnlySpan<byte> lastTurn, int given, AnswerLimits limits)
    {
        var natural = Math.Max(0, (AskedLength(lastTurn) ?? NaturalLength(state)) - given);
        var length = limits.IgnoresEnd && limits.MaxTokens is { } all ? all : Math.Max(natural, limits.MinTokens);
        var isCut = limits.MaxTokens is { } most && (length > most || limits.IgnoresEnd);
        length = Math.Min(length, limits.MaxTokens ?? int.MaxValue);
        var pieces = new byte[length][];
        for (var index = 0; index < length; index++)
        {
            pieces[index] = Word(state, given + index);
        }

        return new SimulatedAnswer(pieces, isCut);
    }

    private static int NaturalLength(ulong state)
    {
        // The sum of four uniform draws has a variance of a third, and is near enough to normal.
        var sum = 0.0;
        for (var draw = 0UL; draw < 4; draw++)
        {
            sum += (Hashing.Chain(~state, draw) >> 11) * (1.0 / (1UL << 53));
        }

        return (int)Math.Clamp(MedianTokens * Math.Exp(Spread * (sum - 2) * Math.Sqrt(3)), 1, LongestNatural);
    }

    private static int? AskedLength(ReadOnlySpan<byte> turn) => AskedLength(turn, "answer with "u8, " token"u8) ?? AskedLength(turn, "say "u8, " word"u8);

    private static int? AskedLength(ReadOnlySpan<byte> turn, ReadOnlySpan<byte> before, ReadOnlySpan<byte> after)
    {
        for (var at = turn.LastIndexOf(before); at >= 0; at = turn[..at].LastIndexOf(before))
        {
            var rest = turn[(at + before.Length)..];
            if (Utf8Parser.TryParse(rest, out int asked, out var read) && asked is >= 0 and <= 1_000_000 && rest[read..].StartsWith(after))
            {
                return asked;
            }
        }

        return null;
    }
}
