using System.Collections.Concurrent;

namespace Gateway.Telemetry;

/// <summary>How good a model's length estimates were over its last answers.</summary>
/// <param name="Answers">Answers looked at, at most <see cref="EstimateCalibration.WindowAnswers"/>.</param>
/// <param name="CoverageRatio">Share no longer than their estimated 0.9 quantile, 0 to 1.</param>
/// <param name="MeanErrorTokens">Actual minus expected, on average; positive: answers are longer than believed.</param>
/// <param name="MeanAbsoluteErrorTokens">The same without sign.</param>
/// <param name="OrderedPairsRatio">Share of neighbouring answers of unlike length that were estimated in the right order, 0 to 1; an equal estimate counts half, 0.5 is chance. Null: no such pair.</param>
public readonly record struct CalibrationReading(int Answers, double CoverageRatio, double MeanErrorTokens, double MeanAbsoluteErrorTokens, double? OrderedPairsRatio);

/// <summary>Compares estimates with answers, per model, over a sliding window. Thread-safe; bounded by the number of models ever configured.</summary>
public sealed class EstimateCalibration
{
    /// <summary>Answers per model that a reading covers.</summary>
    public const int WindowAnswers = 500;

    private readonly ConcurrentDictionary<string, Window> _windows = new(StringComparer.Ordinal);

    /// <param name="model">A pool's name.</param>
    /// <param name="expectedTokens">The estimate's mean.</param>
    /// <param name="upperTokens">The estimate's 0.9 quantile.</param>
    /// <param name="actualTokens">Tokens of the whole answer.</param>
    public void Record(string model, double expectedTokens, int upperTokens, int actualTokens) =>
        _windows.GetOrAdd(model, static _ => new Window()).Add((float)expectedTokens, actualTokens, actualTokens <= upperTokens);

    /// <summary>Null before a model's first whole answer.</summary>
    public CalibrationReading? Read(string model) => _windows.TryGetValue(model, out var window) ? window.Read() : null;

    private sealed class Window
    {
        private readonly Lock _gate = new();
        private readonly float[] _errors = new float[WindowAnswers];
        private readonly bool[] _covered = new bool[WindowAnswers];

        // Points of the pairs, doubled so that a tie counts 1; -1: no pair.
        private readonly sbyte[] _ordered = new sbyte[WindowAnswers];
        private (float Expected, int Actual)? _before;
        private int _count;
        private int _next;

        public void Add(float expected, int actual, bool isCovered)
        {
            lock (_gate)
            {
                _errors[_next] = actual - expected;
                _covered[_next] = isCovered;
                _ordered[_next] = PointsOf(expected, actual);
                _before = (expected, actual);
                _next = (_next + 1) % WindowAnswers;
                _count = Math.Min(_count + 1, WindowAnswers);
            }
        }

        public CalibrationReading Read()
        {
            lock (_gate)
            {
                var covered = _covered.AsSpan(0, _count).Count(true);
                double sum = 0, distance = 0;
                foreach (var error in _errors.AsSpan(0, _count))
                {
                    sum += error;
                    distance += Math.Abs(error);
                }
                // A window is created together with its first answer; a reader may come between the two.
                var answers = Math.Max(1, _count);
                return new CalibrationReading(_count, (double)covered / answers, sum / answers, distance / answers, OrderedLocked());
            }
        }

        private sbyte PointsOf(float expected, int actual) => _before is { } before && before.Actual != actual
            ? (sbyte)(1 + (Math.Sign(expected - before.Expected) * Math.Sign(actual - before.Actual)))
            : (sbyte)-1;

        private double? OrderedLocked()
        {
            var (pairs, points) = (0, 0);
            foreach (var ordered in _ordered.AsSpan(0, _count))
            {
                pairs += ordered >= 0 ? 1 : 0;
                points += Math.Max((sbyte)0, ordered);
            }
            return pairs == 0 ? null : points / (2.0 * pairs);
        }
    }
}
