namespace Gateway.Estimation.Learned;

/// <summary>What is remembered under one key: everybody, a model, one of its tenants, or one of a tenant's applications. Written by one thread at a time.</summary>
internal sealed class LengthKey
{
    // The newest this many answers decide what is believed of an expert.
    private const double Memory = 150;

    // Below this many answers of its own a key goes by what is known one level up.
    private const int AnswersOfItsOwn = 20;

    private readonly double[] _corrections = new double[LengthExperts.Count];
    private readonly double[] _losses = new double[LengthExperts.Count];
    private readonly int[] _counts = new int[LengthExperts.Count];

    public LengthKey(ulong id, LengthKey parent, int window)
    {
        (Id, Parent) = (id, parent);
        Lengths = new LengthTally(parent.Lengths.Weights, window);
        Ratios = new LengthTally(parent.Ratios.Weights, window);
        parent._corrections.CopyTo(_corrections, 0);
        Numbers = new NumberStatistics(parent.Numbers);
    }

    /// <summary>The key of everybody.</summary>
    public LengthKey(int initialOutputTokens, int window)
    {
        var exponential = LengthTally.Exponential(initialOutputTokens);
        Lengths = new LengthTally(exponential, window);
        Ratios = new LengthTally(LengthTally.Exponential(LengthExperts.Unit), window);
        Numbers = new NumberStatistics();
    }

    public ulong Id { get; }

    /// <summary>The wider key; null: everybody's.</summary>
    public LengthKey? Parent { get; }

    /// <summary>Lengths of answers.</summary>
    public LengthTally Lengths { get; }

    /// <summary>Lengths as multiples of what was foreseen, in units of <see cref="LengthExperts.Unit"/>.</summary>
    public LengthTally Ratios { get; }

    public NumberStatistics Numbers { get; }

    /// <summary>ln(1 + median length).</summary>
    public double MedianLog => Math.Log(1 + Lengths.Published.Quantile(0.5));

    /// <summary>What an expert's foresight, ln(1 + length), is off by in the middle.</summary>
    public double CorrectionOf(int expert) => _corrections[expert];

    /// <summary>How far off an expert was lately, in tokens; null: not known yet.</summary>
    public double? LossOf(int expert) => _counts[expert] >= AnswersOfItsOwn ? _losses[expert] : Parent?.LossOf(expert);

    /// <summary>Notes how an expert did.</summary>
    /// <param name="expert">Its index.</param>
    /// <param name="error">ln(1 + length) minus what it said uncorrected.</param>
    /// <param name="loss">How far off it was in tokens, corrected.</param>
    public void Judge(int expert, double error, double loss)
    {
        var count = ++_counts[expert];
        // Clipped: one absurd answer moves the middle no more than a plain miss does.
        _corrections[expert] += Math.Clamp(error - _corrections[expert], -1, 1) / Math.Min(count + 10, Memory);
        _losses[expert] += (loss - _losses[expert]) / Math.Min(count, Memory);
    }
}

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
