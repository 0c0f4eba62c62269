using Gateway.Estimation;

namespace Gateway.Replay.Estimates;

/// <summary>An estimator of the table of names on the way that requests take: its distribution, cut by the request's own limits; learning as from completions. Times both.</summary>
public sealed class EstimatorForecaster : ILengthForecaster
{
    private const double BytesPerToken = 4;
    private const double UpperQuantile = 0.9;

    private readonly IOutputLengthEstimator _lengths;
    private readonly IOutputLengthLearner? _learner;
    private readonly RequestEstimator _estimator;
    private readonly MeanTime _estimating;
    private readonly MeanTime _learning;

    /// <param name="name">One of <see cref="OutputLengthEstimators.Names"/>.</param>
    /// <param name="time">Times estimates and updates.</param>
    public EstimatorForecaster(string name, TimeProvider time)
    {
        Name = name;
        _estimating = new MeanTime(time);
        _learning = new MeanTime(time);
        _lengths = OutputLengthEstimators.Create(new EstimationOptions { Estimator = name });
        _learner = _lengths as IOutputLengthLearner;
        _estimator = new RequestEstimator(new PromptTokenRatio(), () => _lengths);
    }

    public string Name { get; }

    /// <summary>How long an estimate and an update took.</summary>
    public EstimatePace Pace => new(Name, _estimating.Microseconds, _learning.Microseconds);

    public LengthForecast Forecast(LabelledRequest row)
    {
        var startedAt = _estimating.Start();
        var output = _estimator.Estimate(row.Request, row.Model, BytesPerToken, contextTokens: null).Output;
        _estimating.End(startedAt);
        return new LengthForecast(
            output.MeanTokens, output.Quantile(0.5), output.Quantile(UpperQuantile),
            new RemainingForecast(
                output.RemainingTokens(StreamPoints.Tokens[0]), output.RemainingTokens(StreamPoints.Tokens[1]), output.RemainingTokens(StreamPoints.Tokens[2])));
    }

    public void Train(LabelledRequest row) => Learn(row);

    public void Learn(LabelledRequest row)
    {
        if (_learner is null)
        {
            return;
        }
        var startedAt = _learning.Start();
        _learner.Learn(row.Request, row.Model, row.OutputTokens, row.IsCensored);
        _learning.End(startedAt);
    }
}
