namespace Gateway.Estimation.Learned;

/// <summary>A linear model over hashed features of the place that an answer takes among its key's, learned by AdaGrad with some older answers seen again each time.</summary>
/// <remarks>Readers may see a weight while it is written: a float is written whole, and a moment's older one is as good.</remarks>
internal sealed class LinearExpert(LengthKeys keys) : ILengthExpert
{
    private const float Rate = 0.2f;

    // Added to each weight's sum of squares: without it a word seen for the first time would explain its answer alone.
    private const float Caution = 3;

    // Errors beyond this pull no harder: whole misses are for the key's own distribution to learn.
    private const float MostError = 1;

    // A place among the key's answers is a share, so long tails weigh no more than their rank. The way from the shortest to the longest is this many roots of the
    // key's spread: keys of like answers are ordered as finely as those of unlike ones, and pull less on the weights that they share.
    private const double WholeWay = 3.5;

    // Nothing is foreseen beyond these shares of what the key has seen.
    private const double Edge = 0.005;

    // Older answers seen again at most, and with the new one together at most about this many features: constant time.
    private const int Replays = 8;
    private const int MaxFeatures = 1500;

    private readonly Weight[] _weights = new Weight[1 << FeatureRow.Bits];
    private readonly ReplayStore _store = new();

    // Side by side, so that a feature costs one line of the cache.
    private struct Weight
    {
        public float Value;
        public float Squares;
    }

    public double? Foresee(FeatureRow row, LengthKey key) => LogLengthAt(Dot(row.Buckets, row.Values), key.Lengths.Published);

    public void Learn(FeatureRow row, LengthKey key, double logLength, double weight)
    {
        Step(row.Buckets, row.Values, PlaceOf(logLength, key), (float)weight);
        _store.Add(row, key.Id, (float)logLength, (float)weight);
        var left = MaxFeatures - row.Buckets.Length;
        for (var i = 0; i < Replays && left > 0; i++)
        {
            var again = _store.Draw();
            // By its place among what the key knows by now; of a forgotten key nothing is known.
            if (keys.Known(again.Key) is { } known)
            {
                Step(again.Buckets, again.Values, PlaceOf(again.LogLength, known), again.Weight);
            }
            left -= again.Buckets.Length;
        }
    }

    public void Export(BinaryWriter writer)
    {
        writer.Write(_weights.Count(weight => weight.Value != 0));
        for (var i = 0; i < _weights.Length; i++)
        {
            if (_weights[i].Value != 0)
            {
                writer.Write(i);
                writer.Write(_weights[i].Value);
                writer.Write(_weights[i].Squares);
            }
        }
    }

    /// <exception cref="InvalidDataException">A number that cannot be.</exception>
    public void Import(BinaryReader reader)
    {
        for (var left = SnapshotNumbers.Count(reader, _weights.Length); left > 0; left--)
        {
            var i = SnapshotNumbers.Count(reader, _weights.Length - 1);
            _weights[i].Value = (float)SnapshotNumbers.Finite(reader.ReadSingle(), float.MinValue);
            _weights[i].Squares = (float)SnapshotNumbers.Finite(reader.ReadSingle(), 0);
        }
    }

    // The median stands at 0.
    private static float PlaceOf(double logLength, LengthKey key)
    {
        var lengths = key.Lengths.Published;
        return (float)((0.5 - lengths.Survival(Math.Exp(logLength) - 1)) * WholeWay * lengths.RootSpread);
    }

    private static double LogLengthAt(double place, LengthHistogram lengths) =>
        Math.Log(1 + lengths.Quantile(Math.Clamp(0.5 + (place / (WholeWay * lengths.RootSpread)), Edge, 1 - Edge)));

    private float Dot(ReadOnlySpan<uint> buckets, ReadOnlySpan<float> values)
    {
        var sum = 0f;
        for (var i = 0; i < buckets.Length; i++)
        {
            sum += _weights[buckets[i]].Value * values[i];
        }
        return sum;
    }

    private void Step(ReadOnlySpan<uint> buckets, ReadOnlySpan<float> values, float target, float share)
    {
        var error = Math.Clamp(target - Dot(buckets, values), -MostError, MostError) * share;
        for (var i = 0; i < buckets.Length; i++)
        {
            var slope = error * values[i];
            ref var weight = ref _weights[buckets[i]];
            weight.Squares += slope * slope;
            weight.Value += Rate * slope / MathF.Sqrt(Caution + weight.Squares);
        }
    }
}
