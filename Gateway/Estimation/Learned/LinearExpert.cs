namespace Gateway.Estimation.Learned;

/// <summary>A linear model over hashed features of the place that an answer takes among its key's, learned by AdaGrad with some older answers seen again each time.</summary>
/// <remarks>Readers may see a weight while it is written: a float is written whole, and a moment's older one is as good.</remarks>
internal sealed class LinearExpert(LengthKeys keys) : ILengthExpert
{
    private const float Rate = 0.2f;

    // Added to each weight's sum of squares: without it a word seen for the first time would explain its answer alone.
    private const float Caution = 3;

    // Errors are clipped to this: what the features cannot explain is left to the key's own distribution.
    private const float MostError = 1;

    // The model predicts a rank among the key's answers, so that long tails weigh no more than their rank. The scale from the shortest to the longest is this factor
    // times the root of the key's spread: keys with similar answers are ordered as finely as others, but pull less on shared weights.
    private const double RankScale = 3.5;

    // Predictions stay between the quantiles of this share and of one minus it.
    private const double EdgeShare = 0.005;

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
            // Its rank is taken anew among the key's present answers; an answer whose key was forgotten is skipped.
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
        return (float)((0.5 - lengths.Survival(Math.Exp(logLength) - 1)) * RankScale * lengths.RootSpread);
    }

    private static double LogLengthAt(double place, LengthHistogram lengths) =>
        Math.Log(1 + lengths.Quantile(Math.Clamp(0.5 + (place / (RankScale * lengths.RootSpread)), EdgeShare, 1 - EdgeShare)));

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
