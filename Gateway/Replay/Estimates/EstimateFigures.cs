namespace Gateway.Replay.Estimates;

/// <summary>How good forecasts were over a set of rows. Lengths in tokens, shares 0 to 1; rows whose answer was cut count in <see cref="Rows"/> and <see cref="CensoredShare"/> only.</summary>
public sealed record EstimateFigures
{
    /// <summary>Rows, those with a cut answer included.</summary>
    public required int Rows { get; init; }

    /// <summary>Share of the rows whose answer was cut.</summary>
    public required double CensoredShare { get; init; }

    /// <summary>Mean |median − length|; NaN, as all below, without a whole answer.</summary>
    public required double MeanAbsoluteError { get; init; }

    /// <summary>Median |ln((1 + median) / (1 + length))|.</summary>
    public required double MedianLogRatio { get; init; }

    /// <summary>Kendall's tau-b of mean and length within each model, weighted by rows; NaN without a group of <see cref="LeastGroup"/>.</summary>
    public required double TauWithinModel { get; init; }

    /// <summary>The same within each application and model.</summary>
    public required double TauWithinApplication { get; init; }

    /// <summary>The same against the mean of several answers to the prompt; NaN where one was drawn.</summary>
    public required double TauOfSampleMean { get; init; }

    /// <summary>Tau between two answers to the same prompt: what no estimator can pass; NaN where one was drawn.</summary>
    public required double TauBetweenSamples { get; init; }

    /// <summary>Share of rows whose median falls into the same of five classes as the length.</summary>
    public required double RightBucketShare { get; init; }

    /// <summary>Mean pinball loss of the median.</summary>
    public required double MedianPinball { get; init; }

    /// <summary>Mean pinball loss of the 90 % bound.</summary>
    public required double UpperPinball { get; init; }

    /// <summary>Share of lengths up to the median.</summary>
    public required double MedianCoverage { get; init; }

    /// <summary>Share of lengths up to the 90 % bound.</summary>
    public required double UpperCoverage { get; init; }

    /// <summary>At each of the <see cref="StreamPoints"/>, over the rows that are longer.</summary>
    public required IReadOnlyList<RemainingFigures> Remaining { get; init; }

    /// <summary>Fewest rows of which an order is told.</summary>
    public const int LeastGroup = 30;

    /// <param name="scored">Rows with their forecasts.</param>
    /// <param name="buckets">Borders of the five classes.</param>
    public static EstimateFigures Of(IReadOnlyList<ScoredRow> scored, LengthBuckets buckets)
    {
        var whole = scored.Where(entry => !entry.Row.IsCensored).ToArray();
        double Mean(Func<ScoredRow, double> figure) => whole.Length == 0 ? double.NaN : whole.Sum(figure) / whole.Length;
        var sampled = whole.Where(entry => entry.Row.Samples.Count > 1).ToArray();
        return new EstimateFigures
        {
            Rows = scored.Count,
            CensoredShare = scored.Count == 0 ? double.NaN : (scored.Count - whole.Length) / (double)scored.Count,
            MeanAbsoluteError = Mean(entry => Math.Abs(entry.Error)),
            MedianLogRatio = MedianOf(whole, entry => Math.Abs(Math.Log((1 + entry.Forecast.Median) / (1 + entry.Row.OutputTokens)))),
            TauWithinModel = WeightedTau(whole.GroupBy(entry => entry.Row.Model), entry => entry.Forecast.Mean, entry => entry.Row.OutputTokens),
            TauWithinApplication = WithinApplication(whole, entry => entry.Forecast.Mean, entry => entry.Row.OutputTokens),
            TauOfSampleMean = WithinApplication(sampled, entry => entry.Forecast.Mean, entry => entry.Row.Samples.Average()),
            TauBetweenSamples = WithinApplication(sampled, entry => entry.Row.Samples[^2], entry => entry.Row.Samples[^1]),
            RightBucketShare = Mean(entry => buckets.Of(entry.Forecast.Median) == buckets.Of(entry.Row.OutputTokens) ? 1 : 0),
            MedianPinball = Mean(entry => Pinball(0.5, entry.Row.OutputTokens - entry.Forecast.Median)),
            UpperPinball = Mean(entry => Pinball(0.9, entry.Row.OutputTokens - entry.Forecast.Upper)),
            MedianCoverage = Mean(entry => entry.Row.OutputTokens <= entry.Forecast.Median ? 1 : 0),
            UpperCoverage = Mean(entry => entry.Row.OutputTokens <= entry.Forecast.Upper ? 1 : 0),
            Remaining = [.. StreamPoints.Tokens.Select((tokens, index) => RemainingFigures.Of(whole, tokens, index))],
        };
    }

    /// <summary>What a wrong quantile costs.</summary>
    /// <param name="quantile">0 to 1.</param>
    /// <param name="excess">The length minus the forecast of that quantile.</param>
    public static double Pinball(double quantile, double excess) => Math.Max(quantile * excess, (quantile - 1) * excess);

    private static double WithinApplication(ScoredRow[] rows, Func<ScoredRow, double> first, Func<ScoredRow, double> second) =>
        WeightedTau(rows.GroupBy(entry => (entry.Row.Source, entry.Row.Model)), first, second);

    private static double WeightedTau<TKey>(IEnumerable<IGrouping<TKey, ScoredRow>> groups, Func<ScoredRow, double> first, Func<ScoredRow, double> second)
    {
        var (sum, weight) = (0.0, 0);
        foreach (var group in groups.Select(group => group.ToArray()).Where(group => group.Length >= LeastGroup))
        {
            sum += group.Length * KendallTau.B(Array.ConvertAll(group, row => first(row)), Array.ConvertAll(group, row => second(row)));
            weight += group.Length;
        }
        return weight == 0 ? double.NaN : sum / weight;
    }

    private static double MedianOf(ScoredRow[] rows, Func<ScoredRow, double> figure)
    {
        if (rows.Length == 0)
        {
            return double.NaN;
        }
        var values = Array.ConvertAll(rows, row => figure(row));
        Array.Sort(values);
        return (values[(values.Length - 1) / 2] + values[values.Length / 2]) / 2;
    }
}

/// <summary>A row with what was foretold of it.</summary>
public readonly record struct ScoredRow(LabelledRequest Row, LengthForecast Forecast)
{
    /// <summary>Median minus length.</summary>
    public double Error => Forecast.Median - Row.OutputTokens;
}

/// <summary>How well the rest of an answer was known while it streamed: mean absolute errors in tokens, NaN without a row.</summary>
/// <param name="StreamedTokens">Tokens that were out.</param>
/// <param name="Rows">Answers that are longer.</param>
/// <param name="Refined">Of E[L−g | L>g].</param>
/// <param name="Unrefined">Of the first mean minus what was out, at least 0.</param>
public sealed record RemainingFigures(int StreamedTokens, int Rows, double Refined, double Unrefined)
{
    internal static RemainingFigures Of(ScoredRow[] rows, int tokens, int point)
    {
        var (count, refined, unrefined) = (0, 0.0, 0.0);
        foreach (var (row, forecast) in rows.Where(entry => entry.Row.OutputTokens > tokens && !double.IsNaN(entry.Forecast.Remaining[point])))
        {
            var left = row.OutputTokens - tokens;
            refined += Math.Abs(forecast.Remaining[point] - left);
            unrefined += Math.Abs(Math.Max(0, forecast.Mean - tokens) - left);
            count++;
        }
        return new RemainingFigures(tokens, count, count == 0 ? double.NaN : refined / count, count == 0 ? double.NaN : unrefined / count);
    }
}
