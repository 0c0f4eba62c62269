using System.Collections.Concurrent;
using Gateway.Requests;

namespace Gateway.Estimation;

/// <summary>The running distribution of output lengths per model: counts in log-spaced bins, old ones fading. Thread-safe; readers see an immutable table.</summary>
public sealed class RunningLengths : IOutputLengthEstimator, IOutputLengthLearner
{
    // A few answers outweigh the prior, one alone does not.
    private const double PriorWeight = 4;

    private readonly double[] _prior;
    private readonly int _window;
    private readonly LengthHistogram _unknown;
    private readonly ConcurrentDictionary<string, ModelLengths> _models = new(StringComparer.Ordinal);

    /// <param name="options">Prior mean, and how many answers are remembered.</param>
    public RunningLengths(EstimationOptions options)
    {
        _prior = Exponential(options.InitialOutputTokens);
        _window = options.Window;
        _unknown = new LengthHistogram(_prior);
    }

    public string Name => "running";

    public LengthHistogram Predict(InferenceRequest request, string model) =>
        _models.TryGetValue(model, out var lengths) ? lengths.Published : _unknown;

    public void Learn(InferenceRequest request, string model, int outputTokens, bool isCensored) =>
        _models.GetOrAdd(model, _ => new ModelLengths(_prior, _window)).Add(outputTokens, isCensored);

    /// <summary>Weights of an exponential distribution: right-skewed as answers are, with the given mean.</summary>
    internal static double[] Exponential(double meanTokens)
    {
        var weights = new double[LengthHistogram.Bins];
        for (var bin = 0; bin < weights.Length; bin++)
        {
            var (low, high) = LengthHistogram.EdgesOf(bin);
            weights[bin] = PriorWeight * (Math.Exp(-low / meanTokens) - Math.Exp(-high / meanTokens));
        }
        return weights;
    }

    private sealed class ModelLengths(double[] prior, int window)
    {
        private readonly Lock _gate = new();
        private readonly double[] _weights = [.. prior];
        private double _total = PriorWeight;
        private LengthHistogram _published = new(prior);

        public LengthHistogram Published => Volatile.Read(ref _published);

        public void Add(int outputTokens, bool isCensored)
        {
            lock (_gate)
            {
                if (_total >= window)
                {
                    FadeLocked();
                }
                var bin = LengthHistogram.BinOf(outputTokens);
                if (isCensored)
                {
                    SpreadLocked(bin);
                }
                else
                {
                    _weights[bin]++;
                }
                _total++;
                Volatile.Write(ref _published, new LengthHistogram(_weights));
            }
        }

        // Halving keeps the newest half of the window at full weight on average and costs nothing per answer.
        private void FadeLocked()
        {
            for (var bin = 0; bin < _weights.Length; bin++)
            {
                _weights[bin] /= 2;
            }
            _total /= 2;
        }

        // An answer that was cut would have ended somewhere to the right: its weight goes there as the others' did (Efron, 1967).
        private void SpreadLocked(int bin)
        {
            double above = 0;
            for (var i = bin; i < _weights.Length; i++)
            {
                above += _weights[i];
            }
            for (var i = bin; i < _weights.Length; i++)
            {
                _weights[i] += above > 0 ? _weights[i] / above : i == bin ? 1 : 0;
            }
        }
    }
}

/// <summary>The same distribution for every request: what today's gateways know.</summary>
public sealed class ConstantLengths(EstimationOptions options) : IOutputLengthEstimator
{
    private readonly LengthHistogram _lengths = new(RunningLengths.Exponential(options.InitialOutputTokens));

    public string Name => "constant";

    public LengthHistogram Predict(InferenceRequest request, string model) => _lengths;
}

/// <summary>The table of names: a new estimator is one class and one line here.</summary>
public static class OutputLengthEstimators
{
    private static readonly Dictionary<string, Func<EstimationOptions, IOutputLengthEstimator>> Estimators = new()
    {
        ["running"] = options => new RunningLengths(options),
        ["constant"] = options => new ConstantLengths(options),
    };

    /// <summary>Names that <c>estimation.estimator</c> takes.</summary>
    public static IReadOnlyCollection<string> Names => Estimators.Keys;

    /// <exception cref="KeyNotFoundException">An unknown name: the loader should have refused it.</exception>
    public static IOutputLengthEstimator Create(EstimationOptions options) => Estimators[options.Estimator](options);
}
