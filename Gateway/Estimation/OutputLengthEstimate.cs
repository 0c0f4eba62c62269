namespace Gateway.Estimation;

/// <summary>What is believed about the length of one answer before and while it comes: a distribution, cut at the limit.</summary>
/// <remarks>The mean reserves room, the rank orders, the quantile bounds (Past-Future, arXiv 2507.10150: a high quantile must not admit).</remarks>
public readonly struct OutputLengthEstimate
{
    /// <summary>An answer without generated tokens: embeddings, scores, counts.</summary>
    public static readonly OutputLengthEstimate Nothing = new(null, 0, 0);

    private readonly LengthDistribution? _lengths;
    private readonly int _minimumTokens;

    /// <param name="lengths">The distribution; null: exactly <paramref name="limitTokens"/>.</param>
    /// <param name="minimumTokens">Shortest possible answer.</param>
    /// <param name="limitTokens">Longest possible answer.</param>
    public OutputLengthEstimate(LengthDistribution? lengths, int minimumTokens, int limitTokens)
    {
        _lengths = lengths;
        LimitTokens = Math.Max(0, limitTokens);
        _minimumTokens = Math.Clamp(minimumTokens, 0, LimitTokens);
        MeanTokens = lengths is { } known
            ? _minimumTokens + known.ExpectedTokens(_minimumTokens, LimitTokens)
            : LimitTokens;
    }

    /// <summary>What is still to come once a part is there, at its expected length.</summary>
    /// <param name="generatedTokens">Tokens of that part.</param>
    public OutputLengthEstimate After(int generatedTokens) => new(null, 0, (int)Math.Ceiling(RemainingTokens(generatedTokens)));

    /// <summary>Longest possible answer, by the client's limit or the model's context.</summary>
    public int LimitTokens { get; }

    /// <summary>Expected length; between the minimum and the limit.</summary>
    public double MeanTokens { get; }

    /// <summary>P(length > tokens); 0 from the limit on.</summary>
    public double Survival(int tokens) =>
        tokens >= LimitTokens ? 0 : tokens < _minimumTokens ? 1 : _lengths?.Survival(tokens) ?? 1;

    /// <summary>The length not exceeded by a share <paramref name="quantile"/> (0 to 1) of such answers.</summary>
    public int Quantile(double quantile) => _lengths is { } known
        ? (int)Math.Clamp(Math.Ceiling(known.Quantile(quantile)), _minimumTokens, LimitTokens)
        : LimitTokens;

    /// <summary>The same among those that are longer than <paramref name="generatedTokens"/>.</summary>
    public int Quantile(double quantile, int generatedTokens) => generatedTokens <= 0
        ? Quantile(quantile)
        : Math.Max(generatedTokens, Quantile(1 - ((1 - quantile) * Survival(generatedTokens))));

    /// <summary>E[exp(rate·L)], for orders that weigh long answers; the exponent is cut at <paramref name="mostExponent"/>.</summary>
    public double ExpectedExponential(double rate, double mostExponent) => _lengths is { } known && _minimumTokens < LimitTokens
        ? known.ExpectedExponential(rate, _minimumTokens, LimitTokens, mostExponent)
        : Math.Exp(Math.Min(mostExponent, rate * LimitTokens));

    /// <summary>Expected tokens still to come after <paramref name="generatedTokens"/>, E[L−g | L>g]; at least 0, at most what the limit leaves.</summary>
    public double RemainingTokens(int generatedTokens)
    {
        var left = Math.Max(0, LimitTokens - generatedTokens);
        if (_lengths is not { } known || generatedTokens < _minimumTokens)
        {
            return Math.Clamp(MeanTokens - generatedTokens, 0, left);
        }
        var survival = known.Survival(generatedTokens);
        // Longer than anything seen: a tenth more, at least 16 tokens (the floor of the Past-Future rule).
        var expected = survival > 1e-9
            ? known.ExpectedTokens(generatedTokens, LimitTokens) / survival
            : Math.Max(0.1 * generatedTokens, 16);
        return Math.Min(left, expected);
    }
}

/// <summary>What a request will cost: its prompt, and the distribution of its answer.</summary>
/// <param name="PromptTokens">Prompt tokens by the learned ratio of bytes to tokens, or exact where ids were given.</param>
/// <param name="LeastPromptTokens">Fewest tokens the prompt can plausibly have: what refuses a prompt for its length.</param>
/// <param name="Output">Length of one answer.</param>
/// <param name="Sequences">Answers generated in parallel (prompts × choices), at least 1.</param>
public readonly record struct RequestEstimate(int PromptTokens, int LeastPromptTokens, OutputLengthEstimate Output, int Sequences)
{
    /// <summary>Expected output tokens over all sequences.</summary>
    public double OutputTokens => Output.MeanTokens * Sequences;

    /// <summary>Tokens of the prompt that a replica is believed to hold, so that they cost no engine time there; 0: none, or nobody looked.</summary>
    public int CachedTokens { get; init; }

    /// <summary>Tokens of the prompt that have to be computed.</summary>
    public int UncachedTokens => Math.Max(0, PromptTokens - CachedTokens);
}
