namespace Gateway.Replay.Estimates;

/// <summary>One number for every request: the median of the rows that train, and their 90 % quantile. What every estimator has to beat.</summary>
public sealed class TrainingMedian : ILengthForecaster
{
    /// <summary>Name in the reports.</summary>
    public const string BaselineName = "training median";

    private readonly LengthCounts _lengths = new();

    public string Name => BaselineName;

    public LengthForecast Forecast(LabelledRequest row) => MedianForecast.Of(_lengths);

    public void Train(LabelledRequest row)
    {
        if (!row.IsCensored)
        {
            _lengths.Add(row.OutputTokens);
        }
    }

    public void Learn(LabelledRequest row)
    {
    }
}

/// <summary>The median of the tested rows that have ended so far, for each key: an application that knows only its own past.</summary>
/// <param name="name">Name in the reports.</param>
/// <param name="keyOf">Rows of one key share a median.</param>
public sealed class RunningMedian(string name, Func<LabelledRequest, string> keyOf) : ILengthForecaster
{
    private readonly Dictionary<string, LengthCounts> _byKey = new(StringComparer.Ordinal);
    private readonly LengthCounts _all = new();

    public string Name => name;

    // A key without answers so far uses those of all keys.
    public LengthForecast Forecast(LabelledRequest row) => MedianForecast.Of(_byKey.GetValueOrDefault(keyOf(row)) ?? _all);

    public void Train(LabelledRequest row)
    {
    }

    public void Learn(LabelledRequest row)
    {
        if (row.IsCensored)
        {
            return;
        }
        if (!_byKey.TryGetValue(keyOf(row), out var lengths))
        {
            _byKey.Add(keyOf(row), lengths = new LengthCounts());
        }
        lengths.Add(row.OutputTokens);
        _all.Add(row.OutputTokens);
    }
}

/// <summary>A forecast out of bare quantiles.</summary>
internal static class MedianForecast
{
    // What the gateway itself assumes before it has seen an answer.
    private static readonly int Unknown = new Gateway.Estimation.EstimationOptions().InitialOutputTokens;

    // A constant forecast orders nothing: its mean is its median.
    public static LengthForecast Of(LengthCounts lengths) => lengths.Count == 0
        ? new LengthForecast(Unknown, Unknown, Unknown, RemainingForecast.None)
        : new LengthForecast(lengths.Quantile(0.5), lengths.Quantile(0.5), lengths.Quantile(0.9), RemainingForecast.None);
}
