namespace Gateway.Estimation;

/// <summary>The running distribution of lengths under one key: weights in log-spaced bins, old ones fading. One writer at a time; readers see an immutable table.</summary>
internal sealed class LengthTally
{
    // A few answers outweigh the prior, one alone does not.
    public const double PriorWeight = 4;

    // A key with many answers changes slowly: a new table for each would be waste.
    private const int AnswersPerTable = 8;

    private readonly double[] _weights;
    private readonly int _window;
    private double _total;
    private int _unpublished;
    private LengthHistogram _published;

    /// <param name="prior">What is believed before the first answer, as weights of the bins; scaled to <see cref="PriorWeight"/>.</param>
    /// <param name="window">Answers remembered.</param>
    public LengthTally(ReadOnlySpan<double> prior, int window)
    {
        _weights = prior.ToArray();
        _window = window;
        var sum = _weights.Sum();
        for (var bin = 0; bin < _weights.Length; bin++)
        {
            _weights[bin] *= PriorWeight / sum;
        }
        _total = PriorWeight;
        _published = new LengthHistogram(_weights);
    }

    /// <summary>The distribution, at most a few answers old.</summary>
    public LengthHistogram Published => Volatile.Read(ref _published);

    /// <summary>Weight of all bins, the prior included.</summary>
    public double Total => _total;

    public Span<double> Weights => _weights;

    /// <summary>Takes one length; a censored one is a lower bound.</summary>
    public void Add(double tokens, bool isCensored)
    {
        if (_total >= _window)
        {
            Fade(0.5);
        }
        var bin = LengthHistogram.BinOf(tokens);
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

    public void Publish()
    {
        _unpublished = 0;
        Volatile.Write(ref _published, new LengthHistogram(_weights));
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
