namespace Gateway.Estimation;

/// <summary>The running distribution of lengths under one key: weights in log-spaced bins, old ones fading. One writer at a time, which allocates nothing; readers see a published table.</summary>
internal sealed class LengthTally
{
    // A few answers outweigh the prior, one alone does not.
    public const double PriorWeight = 4;

    // A key with many answers changes slowly: a new table for each would be waste.
    private const int AnswersPerTable = 16;

    // Tables are rewritten in turn, so that learning allocates nothing. A reader that keeps one for longer than that sees newer weights of the same key, which is harmless.
    private const int Tables = 3;

    // The published 0.9 quantile is stretched until this share of answers really stays below it.
    private const double Bound = 0.9;
    private const double BoundRate = 0.02;
    private const double MostStretch = 3;

    private readonly double[] _weights;
    private readonly LengthHistogram?[] _tables = new LengthHistogram?[Tables];
    private readonly int _window;
    private readonly double _outgrown;
    private int _turn;
    private double _stretch;
    private double _total;
    private int _unpublished;
    private LengthHistogram _published;

    /// <param name="prior">What is believed before the first answer, as weights of the bins; scaled to <see cref="PriorWeight"/>.</param>
    /// <param name="window">Answers remembered.</param>
    /// <param name="outgrown">Weight that each answer takes from those before it, 0 to below 1: at a half the first quarter of all answers counts a sixteenth. 0: all count alike.</param>
    public LengthTally(ReadOnlySpan<double> prior, int window, double outgrown = 0)
    {
        _weights = prior.ToArray();
        (_window, _outgrown) = (window, outgrown);
        var sum = _weights.Sum();
        for (var bin = 0; bin < _weights.Length; bin++)
        {
            _weights[bin] *= PriorWeight / sum;
        }
        _total = PriorWeight;
        _published = Table();
    }

    private LengthTally(BinaryReader reader, int window, double outgrown)
    {
        (_window, _outgrown) = (window, outgrown);
        _weights = new double[LengthHistogram.Bins];
        for (var bin = 0; bin < _weights.Length; bin++)
        {
            _weights[bin] = SnapshotNumbers.Finite(reader.ReadDouble(), 0);
            _total += _weights[bin];
        }
        _stretch = Math.Min(MostStretch, SnapshotNumbers.Finite(reader.ReadDouble(), -MostStretch));
        if (_total <= 0)
        {
            throw new InvalidDataException("A distribution without weight.");
        }
        _published = Table();
    }

    public static LengthTally Import(BinaryReader reader, int window, double outgrown = 0) => new(reader, window, outgrown);

    /// <summary>Writes it; from then on readers see what was written.</summary>
    public void Export(BinaryWriter writer)
    {
        Publish();
        foreach (var weight in _weights)
        {
            writer.Write(weight);
        }
        writer.Write(_stretch);
    }

    /// <summary>The distribution, at most a few answers old.</summary>
    public LengthHistogram Published => Volatile.Read(ref _published);

    /// <summary>Weight of all bins, the prior included: kept beside them, so that adding an answer need not sum them.</summary>
    public double Total => _total;

    public Span<double> Weights => _weights;

    /// <summary>Takes one length; a censored one is a lower bound.</summary>
    public void Add(double tokens, bool isCensored)
    {
        if (_total >= _window)
        {
            Fade(0.5);
        }
        if (_outgrown > 0)
        {
            Fade(1 - (_outgrown / Math.Max(2 * PriorWeight, _total)));
        }
        var bin = LengthHistogram.BinOf(tokens);
        Calibrate(tokens, isCensored);
        if (isCensored)
        {
            Spread(bin);
        }
        else
        {
            _weights[bin]++;
        }
        _total++;
        if (++_unpublished >= Math.Min(AnswersPerTable, _total / AnswersPerTable))
        {
            Publish();
        }
    }

    /// <summary>Takes weight from everything learned so far, so that the next answers count for more.</summary>
    public void Fade(double share)
    {
        for (var bin = 0; bin < _weights.Length; bin++)
        {
            _weights[bin] *= share;
        }
        _total *= share;
    }

    private void Publish()
    {
        _unpublished = 0;
        Volatile.Write(ref _published, Table());
    }

    // Adaptive conformal inference (Gibbs and Candès, arXiv 2106.00170), in bins: every answer beyond the bound moves it out, every other one in a little.
    private void Calibrate(double tokens, bool isCensored)
    {
        var isBeyond = tokens > _published.Quantile(Bound);
        if (isBeyond || !isCensored)
        {
            var step = BoundRate * LengthHistogram.PerOctave * ((isBeyond ? 1 : 0) - (1 - Bound));
            _stretch = Math.Clamp(_stretch + step, -MostStretch, MostStretch);
        }
    }

    private LengthHistogram Table()
    {
        _turn = (_turn + 1) % Tables;
        if (Math.Abs(_stretch) < 0.02)
        {
            return Written(_weights);
        }
        Span<double> stretched = stackalloc double[LengthHistogram.Bins];
        Stretch(stretched);
        return Written(stretched);
    }

    private LengthHistogram Written(ReadOnlySpan<double> weights)
    {
        if (_tables[_turn] is not { } table)
        {
            return _tables[_turn] = new LengthHistogram(weights);
        }
        table.Write(weights);
        return table;
    }

    // The median stays, the bound moves by the whole stretch, what lies between and beyond in proportion; nothing passes the median.
    private void Stretch(Span<double> stretched)
    {
        var middle = BinAt(0.5);
        var reach = Math.Max(1, BinAt(Bound) - middle);
        var factor = Math.Max(0.25, 1 + (_stretch / reach));
        stretched.Clear();
        for (var bin = 0; bin < _weights.Length; bin++)
        {
            var to = bin <= middle ? bin : Math.Min(_weights.Length - 1, middle + ((bin - middle) * factor));
            var low = (int)to;
            stretched[low] += _weights[bin] * (1 - (to - low));
            stretched[Math.Min(low + 1, _weights.Length - 1)] += _weights[bin] * (to - low);
        }
    }

    private int BinAt(double quantile)
    {
        var (bin, below) = (0, _weights[0]);
        while (bin < _weights.Length - 1 && below < quantile * _total)
        {
            below += _weights[++bin];
        }
        return bin;
    }

    // An answer that was cut would have ended somewhere to the right: its weight goes there as the others' did (Efron, 1967).
    private void Spread(int bin)
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

    /// <summary>Weights of an exponential distribution: right-skewed as answers are, with the given mean.</summary>
    public static double[] Exponential(double meanTokens)
    {
        var weights = new double[LengthHistogram.Bins];
        for (var bin = 0; bin < weights.Length; bin++)
        {
            var (low, high) = LengthHistogram.EdgesOf(bin);
            weights[bin] = Math.Exp(-low / meanTokens) - Math.Exp(-high / meanTokens);
        }
        return weights;
    }
}
