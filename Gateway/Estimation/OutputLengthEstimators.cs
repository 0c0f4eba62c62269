using Gateway.Estimation.Learned;
using Gateway.Requests;

namespace Gateway.Estimation;

/// <summary>The table of names: a new estimator is one class and one line here.</summary>
public static class OutputLengthEstimators
{
    private static readonly Dictionary<string, Func<EstimationOptions, IOutputLengthEstimator>> Estimators = new()
    {
        ["running"] = options => new RunningLengths(options),
        ["ensemble"] = LearnedLengths.Ensemble,
        ["linear"] = LearnedLengths.Linear,
        ["neighbours"] = LearnedLengths.Neighbours,
        ["constant"] = options => new ConstantLengths(options),
    };

    /// <summary>Names that <c>estimation.estimator</c> takes.</summary>
    public static IReadOnlyCollection<string> Names => Estimators.Keys;

    /// <exception cref="KeyNotFoundException">An unknown name: the loader should have refused it.</exception>
    public static IOutputLengthEstimator Create(EstimationOptions options) => Estimators[options.Estimator](options);
}

/// <summary>The same distribution for every request: what today's gateways know.</summary>
public sealed class ConstantLengths(EstimationOptions options) : IOutputLengthEstimator
{
    private readonly LengthHistogram _lengths = new(LengthTally.Exponential(options.InitialOutputTokens));

    public string Name => "constant";

    public LengthDistribution Predict(InferenceRequest request, string model) => new(_lengths, 1);
}
