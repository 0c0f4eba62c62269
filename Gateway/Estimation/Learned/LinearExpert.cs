namespace Gateway.Estimation.Learned;

/// <summary>A linear model over hashed features of what the key's median leaves unexplained, learned by AdaGrad with some older answers seen again each time.</summary>
/// <remarks>Readers may see a weight while it is written: a float is written whole, and a moment's older one is as good.</remarks>
internal sealed class LinearExpert(int seed) : ILengthExpert
{
    private const float Rate = 0.2f;

    // Added to each weight's sum of squares: without it a word seen for the first time would explain its answer alone.
    private const float Caution = 3;

    // Errors beyond a factor of e pull no harder: answers have long tails.
    private const float MostError = 1;

    // Older answers seen again at most, and with the new one together at most about this many features: constant time.
    private const int Replays = 8;
    private const int MaxFeatures = 1500;

    private readonly Weight[] _weights = new Weight[1 << FeatureRow.Bits];
    private readonly ReplayStore _store = new(seed);

    // Side by side, so that a feature costs one line of the cache.
    private struct Weight
    {
        public float Value;
        public float Squares;
    }

    public double? Foresee(FeatureRow row, LengthKey key) => key.MedianLog + (Dot(row.Buckets, row.Values) * key.MissUnit);

    public void Learn(FeatureRow row, LengthKey key, double logLength, double weight)
    {
        Step(row.Buckets, row.Values, (logLength - key.MedianLog) / key.MissUnit, (float)weight);
        _store.Add(row, key, logLength, (float)weight);
        var left = MaxFeatures - row.Buckets.Length;
        for (var i = 0; i < Replays && left > 0; i++)
        {
            var again = _store.Draw();
            Step(again.Buckets, again.Values, (again.LogLength - again.Key.MedianLog) / again.Key.MissUnit, again.Weight);
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

    private float Dot(ReadOnlySpan<uint> buckets, ReadOnlySpan<float> values)
    {
        var sum = 0f;
        for (var i = 0; i < buckets.Length; i++)
        {
            sum += _weights[buckets[i]].Value * values[i];
        }
        return sum;
    }

    private void Step(ReadOnlySpan<uint> buckets, ReadOnlySpan<float> values, double target, float share)
    {
        var error = Math.Clamp((float)target - Dot(buckets, values), -MostError, MostError) * share;
        for (var i = 0; i < buckets.Length; i++)
        {
            var slope = error * values[i];
            ref var weight = ref _weights[buckets[i]];
            weight.Squares += slope * slope;
            weight.Value += Rate * slope / MathF.Sqrt(Caution + weight.Squares);
        }
    }
}
