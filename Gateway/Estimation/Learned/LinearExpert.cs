namespace Gateway.Estimation.Learned;

/// <summary>A linear model over hashed features of what the key's median leaves unexplained, learned by AdaGrad with some older answers seen again each time.</summary>
/// <remarks>Readers may see a weight while it is written: a float is written whole, and a moment's older one is as good.</remarks>
internal sealed class LinearExpert(int seed) : ILengthExpert
{
    private const float Rate = 0.3f;

    // Added to each weight's sum of squares: without it a word seen for the first time would explain its answer alone.
    private const float Caution = 3;

    // Errors beyond a factor of e pull no harder: answers have long tails.
    private const float MostError = 1;

    // Older answers seen again at most, and together at most this many features: constant time.
    private const int Replays = 4;
    private const int MaxReplayedFeatures = 1500;

    private readonly float[] _weights = new float[1 << FeatureRow.Bits];
    private readonly float[] _squares = new float[1 << FeatureRow.Bits];
    private readonly ReplayStore _store = new(seed);

    public double? Foresee(FeatureRow row, LengthKey key) => key.MedianLog + Dot(row.Buckets, row.Values);

    public void Learn(FeatureRow row, LengthKey key, double logLength, double weight)
    {
        Step(row.Buckets, row.Values, logLength - key.MedianLog, (float)weight);
        _store.Add(row, key, logLength, (float)weight);
        var left = MaxReplayedFeatures;
        for (var i = 0; i < Replays && left > 0; i++)
        {
            var again = _store.Draw();
            Step(again.Buckets, again.Values, again.LogLength - again.Key.MedianLog, again.Weight);
            left -= again.Buckets.Length;
        }
    }

    public void Export(BinaryWriter writer)
    {
        writer.Write(_weights.Count(weight => weight != 0));
        for (var i = 0; i < _weights.Length; i++)
        {
            if (_weights[i] != 0)
            {
                writer.Write(i);
                writer.Write(_weights[i]);
                writer.Write(_squares[i]);
            }
        }
    }

    /// <exception cref="InvalidDataException">A number that cannot be.</exception>
    public void Import(BinaryReader reader)
    {
        for (var left = SnapshotNumbers.Count(reader, _weights.Length); left > 0; left--)
        {
            var i = SnapshotNumbers.Count(reader, _weights.Length - 1);
            _weights[i] = (float)SnapshotNumbers.Finite(reader.ReadSingle(), float.MinValue);
            _squares[i] = (float)SnapshotNumbers.Finite(reader.ReadSingle(), 0);
        }
    }

    private float Dot(ReadOnlySpan<uint> buckets, ReadOnlySpan<float> values)
    {
        var sum = 0f;
        for (var i = 0; i < buckets.Length; i++)
        {
            sum += _weights[buckets[i]] * values[i];
        }
        return sum;
    }

    private void Step(ReadOnlySpan<uint> buckets, ReadOnlySpan<float> values, double target, float weight)
    {
        var error = Math.Clamp((float)target - Dot(buckets, values), -MostError, MostError) * weight;
        for (var i = 0; i < buckets.Length; i++)
        {
            var slope = error * values[i];
            ref var squares = ref _squares[buckets[i]];
            squares += slope * slope;
            _weights[buckets[i]] += Rate * slope / MathF.Sqrt(Caution + squares);
        }
    }
}
