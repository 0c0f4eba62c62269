namespace Gateway.Estimation.Learned;

/// <summary>What is remembered under one key: everybody, a model, one of its tenants, or one of a tenant's applications. Written by one thread at a time.</summary>
internal sealed class LengthKey
{
    // Corrections and losses of experts are running means over about this many answers.
    private const double Memory = 150;

    // Below this many answers of its own a key goes by what is known one level up.
    private const int AnswersOfItsOwn = 20;

    // Drift: the running mean of the misses, with their signs, moves at this pace. Where it exceeds the usual size of a miss by the factor below, the traffic or the model
    // has changed.
    private const double DriftPace = 1.0 / 12;
    // Sessions with similar turns also make runs of misses to one side, so a smaller factor would give false alarms.
    private const double DriftFactor = 1.5;
    private const int AnswersBeforeDrift = 40;
    private const double KeptOnDrift = 0.05;

    // Misses are clipped to this, so that a correction follows the median of the misses and not their mean.
    private const double MostPull = 0.3;

    // A key with more than this share of the latest answers is weighted down, so that one busy client does not decide what others are told.
    private const double ShareMemory = 2000;
    private const double FullShare = 0.5;

    // Misses of the beginning, when nothing was learned yet, say little of later ones, and would make the first thousand means half as long again.
    private const double OutgrownMisses = 0.5;

    private readonly double[] _corrections = new double[LengthExperts.Count];
    private readonly double[] _losses = new double[LengthExperts.Count];
    private readonly int[] _counts = new int[LengthExperts.Count];
    private double _run;
    private double _usual;
    private int _answers;
    private double _share;
    private long _shareAt;

    public LengthKey(ulong id, LengthKey parent, int window)
    {
        (Id, Parent) = (id, parent);
        Lengths = new LengthTally(parent.Lengths.Weights, window);
        Ratios = new LengthTally(parent.Ratios.Weights, window, OutgrownMisses);
        parent._corrections.CopyTo(_corrections, 0);
        Numbers = new NumberStatistics(parent.Numbers);
    }

    private LengthKey(BinaryReader reader, ulong id, LengthKey? parent, int window)
    {
        (Id, Parent) = (id, parent);
        Lengths = LengthTally.Import(reader, window);
        Ratios = LengthTally.Import(reader, window, OutgrownMisses);
        Numbers = new NumberStatistics(reader);
        for (var i = 0; i < _counts.Length; i++)
        {
            _counts[i] = SnapshotNumbers.Count(reader, int.MaxValue);
            _corrections[i] = SnapshotNumbers.Finite(reader.ReadDouble(), double.MinValue);
            _losses[i] = SnapshotNumbers.Finite(reader.ReadDouble(), 0);
        }
    }

    /// <exception cref="InvalidDataException">A number that cannot be.</exception>
    public static LengthKey Import(BinaryReader reader, ulong id, LengthKey? parent, int window) => new(reader, id, parent, window);

    public void Export(BinaryWriter writer)
    {
        Lengths.Export(writer);
        Ratios.Export(writer);
        Numbers.Export(writer);
        for (var i = 0; i < _counts.Length; i++)
        {
            writer.Write(_counts[i]);
            writer.Write(_corrections[i]);
            writer.Write(_losses[i]);
        }
    }

    /// <summary>The key of everybody.</summary>
    public LengthKey(int initialOutputTokens, int window)
    {
        var exponential = LengthTally.Exponential(initialOutputTokens);
        Lengths = new LengthTally(exponential, window);
        Ratios = new LengthTally(LengthTally.Exponential(LengthExperts.Unit / Math.Log(2)), window, OutgrownMisses);
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
    public double MedianLog => Math.Log(1 + Lengths.Published.Median);

    /// <summary>What an expert's foresight, ln(1 + length), is off by in the middle.</summary>
    public double CorrectionOf(int expert) => _corrections[expert];

    /// <summary>How far off an expert was lately, in tokens; null: not known yet.</summary>
    public double? LossOf(int expert) => _counts[expert] >= AnswersOfItsOwn ? _losses[expert] : Parent?.LossOf(expert);

    /// <summary>How much an answer under this key may change what others are told: 1, or less where most of the latest answers were its own.</summary>
    /// <param name="answer">The number of the answer among all.</param>
    public double WeightOf(long answer)
    {
        _share = (_share * Math.Pow(1 - (1 / ShareMemory), answer - _shareAt)) + (1 / ShareMemory);
        _shareAt = answer;
        var fair = Math.Min(1, FullShare / _share);
        return fair * fair;
    }

    /// <summary>Takes an answer: its length, and as a multiple of what was foreseen.</summary>
    /// <returns>Whether the answers have changed, so that old ones lost most of their weight.</returns>
    public bool Take(double tokens, double ratio, bool isCensored)
    {
        Lengths.Add(tokens, isCensored);
        Ratios.Add(ratio, isCensored);
        if (isCensored)
        {
            return false;
        }
        var miss = Math.Clamp(Math.Log(Math.Max(1e-3, ratio / Ratios.Published.Median)), -2, 2);
        _answers = Math.Min(int.MaxValue - 1, _answers) + 1;
        _run += (miss - _run) * DriftPace;
        _usual += (Math.Abs(miss) - _usual) / Math.Min(_answers, Memory);
        if (_answers < AnswersBeforeDrift || Math.Abs(_run) < DriftFactor * Math.Max(0.1, _usual))
        {
            return false;
        }
        (_answers, _run) = (0, 0);
        Lengths.Fade(KeptOnDrift);
        Ratios.Fade(KeptOnDrift / (1 - OutgrownMisses));
        for (var i = 0; i < _counts.Length; i++)
        {
            _counts[i] = Math.Min(_counts[i], AnswersOfItsOwn);
            _corrections[i] = 0;
        }
        return true;
    }

    /// <summary>Notes how an expert did.</summary>
    /// <param name="expert">Its index.</param>
    /// <param name="error">ln(1 + length) minus what it said uncorrected.</param>
    /// <param name="loss">How far off it was in tokens, corrected.</param>
    public void Judge(int expert, double error, double loss)
    {
        var count = _counts[expert] = Math.Min(int.MaxValue - 1, _counts[expert]) + 1;
        // The median is the middle already; a mean of clipped misses would only move it away.
        if (expert != LengthExperts.Median)
        {
            _corrections[expert] += Math.Clamp(error - _corrections[expert], -MostPull, MostPull) / Math.Min(count + 10, Memory);
        }
        _losses[expert] += (loss - _losses[expert]) / Math.Min(count, Memory);
    }
}
