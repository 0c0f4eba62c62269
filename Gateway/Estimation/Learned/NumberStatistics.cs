namespace Gateway.Estimation.Learned;

/// <summary>Mean and spread of the numbers under one key, the newest counting most.</summary>
internal sealed class NumberStatistics
{
    private const double Memory = 1000;

    private readonly double[] _means = new double[FeatureNumbers.Count];
    private readonly double[] _squares = new double[FeatureNumbers.Count];
    private double _count;

    public NumberStatistics()
    {
    }

    public NumberStatistics(NumberStatistics parent)
    {
        parent._means.CopyTo(_means, 0);
        parent._squares.CopyTo(_squares, 0);
    }

    public NumberStatistics(BinaryReader reader)
    {
        _count = Math.Min(Memory, SnapshotNumbers.Finite(reader.ReadDouble(), 0));
        for (var i = 0; i < _means.Length; i++)
        {
            _means[i] = SnapshotNumbers.Finite(reader.ReadDouble(), double.MinValue);
            _squares[i] = SnapshotNumbers.Finite(reader.ReadDouble(), 0);
        }
    }

    public void Export(BinaryWriter writer)
    {
        writer.Write(_count);
        for (var i = 0; i < _means.Length; i++)
        {
            writer.Write(_means[i]);
            writer.Write(_squares[i]);
        }
    }

    public void Add(ReadOnlySpan<double> numbers)
    {
        _count = Math.Min(_count + 1, Memory);
        for (var i = 0; i < numbers.Length; i++)
        {
            var off = numbers[i] - _means[i];
            _means[i] += off / _count;
            _squares[i] += ((off * (numbers[i] - _means[i])) - _squares[i]) / _count;
        }
    }

    /// <summary>A number as multiples of its spread above its mean, −4 to 4; 0 while hardly any were seen.</summary>
    public double Standard(int index, double number)
    {
        var spread = Math.Sqrt(_squares[index]);
        return spread > 1e-6 ? Math.Clamp((number - _means[index]) / spread, -4, 4) * _count / (_count + 10) : 0;
    }
}
