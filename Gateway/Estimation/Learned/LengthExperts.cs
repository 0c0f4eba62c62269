namespace Gateway.Estimation.Learned;

/// <summary>One way to foresee the middle of a length. Foresees from many threads at once; learns on one.</summary>
internal interface ILengthExpert
{
    /// <summary>ln(1 + length) as foreseen; null: it has nothing to say about this request.</summary>
    double? Foresee(FeatureRow row, LengthKey key);

    /// <param name="row">The request.</param>
    /// <param name="key">Its key.</param>
    /// <param name="logLength">ln(1 + length) as it came.</param>
    /// <param name="weight">How much it may change what others are told: 1, or less for one who sends more than a share.</param>
    void Learn(FeatureRow row, LengthKey key, double logLength, double weight);
}

/// <summary>The order of the experts, in which what is known of them is kept.</summary>
internal static class LengthExperts
{
    public const int Median = 0;
    public const int Linear = 1;
    public const int Neighbours = 2;
    public const int Hint = 3;
    public const int Count = 4;

    /// <summary>The length that stands for "as foreseen" where ratios are tallied: far from both ends of the bins, and in the middle of one, so that answers which come as
    /// foreseen are believed to come as foreseen and not half a bin longer.</summary>
    public const int Unit = 279;
}

/// <summary>The running median of the key.</summary>
internal sealed class MedianExpert : ILengthExpert
{
    public double? Foresee(FeatureRow row, LengthKey key) => key.MedianLog;

    public void Learn(FeatureRow row, LengthKey key, double logLength, double weight)
    {
        // The median is that of the key, which LearnedLengths updates.
    }
}

/// <summary>What the client says; its key's correction and loss tell how far that goes.</summary>
internal sealed class HintExpert : ILengthExpert
{
    public double? Foresee(FeatureRow row, LengthKey key) => row.HintTokens is { } tokens ? Math.Log(1.0 + tokens) : null;

    public void Learn(FeatureRow row, LengthKey key, double logLength, double weight)
    {
        // The hint is the client's; how far it can be trusted is learned in the key's corrections and losses.
    }
}
