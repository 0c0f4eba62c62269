namespace Gateway.Replay.Estimates;

/// <summary>What was said of one answer before it came, in tokens. NaN: nothing was said.</summary>
/// <param name="Mean">The expected length: what orders the queue.</param>
/// <param name="Median">Half of such answers are not longer.</param>
/// <param name="Upper">Nine in ten of such answers are not longer.</param>
/// <param name="Remaining">Expected tokens still to come once <see cref="StreamPoints"/> are out.</param>
public readonly record struct LengthForecast(double Mean, double Median, double Upper, RemainingForecast Remaining);

/// <summary>Expected tokens still to come at each of the <see cref="StreamPoints"/>.</summary>
public readonly record struct RemainingForecast(double AtStart, double AtEarly, double AtLate)
{
    public static readonly RemainingForecast None = new(double.NaN, double.NaN, double.NaN);

    /// <param name="index">Which of the <see cref="StreamPoints"/>.</param>
    public double this[int index] => index switch { 0 => AtStart, 1 => AtEarly, _ => AtLate };
}

/// <summary>Where in a stream the refined estimate is looked at.</summary>
public static class StreamPoints
{
    /// <summary>Tokens that are already out.</summary>
    public static readonly IReadOnlyList<int> Tokens = [0, 50, 200];
}

/// <summary>Something that foretells lengths and can be compared: an estimator, or a baseline. Used by one thread.</summary>
public interface ILengthForecaster
{
    string Name { get; }

    LengthForecast Forecast(LabelledRequest row);

    /// <summary>Takes the lesson of a row that is only there to learn from.</summary>
    void Train(LabelledRequest row);

    /// <summary>Takes the lesson of a tested row, after its forecast.</summary>
    void Learn(LabelledRequest row);
}
