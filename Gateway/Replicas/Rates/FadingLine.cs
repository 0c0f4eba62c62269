namespace Gateway.Replicas.Rates;

/// <summary>A straight line through what was measured lately: seconds over a load. Old measurements fade, outliers are cut, neither coefficient is negative. Not thread-safe.</summary>
internal sealed class FadingLine
{
    private const double Memory = 128;

    // Drift: where measurements are off to one side for long, the engine has changed, and most of the old evidence is dropped.
    private const double DriftBias = 0.25;
    private const double DriftKeep = 0.02;
    private const double BiasPace = 0.1;
    private const int LeastBetweenDrifts = 16;

    // The starting line enters as two points of this weight: it decides the shape only where all measured loads are alike.
    private const double StartWeight = 0.1;

    // Outliers are cut to this many times the usual distance from the line.
    private const double CutDistances = 3;
    private const double LeastCut = 0.05;
    private const double MostDistance = 2;

    // Below this relative spread all loads are the same but for rounding, and no slope can be told.
    private const double LeastSpread = 1e-9;
    private const double LeastSeconds = 1e-9;

    private readonly double _firstBase;
    private readonly double _firstSlope;
    private readonly double _usualLoad;
    private double _weight, _load, _loadSquared, _seconds, _loadSeconds;
    private double _scaleWeight, _scaled;
    private double _bias;
    private double _distance = 1;
    private int _sinceDrift;

    /// <param name="baseSeconds">Where the line starts from, at load 0.</param>
    /// <param name="secondsPerUnit">Its slope.</param>
    /// <param name="usualLoad">A load that is neither small nor large: up to there the start is believed to have its shape.</param>
    public FadingLine(double baseSeconds, double secondsPerUnit, double usualLoad)
    {
        (BaseSeconds, SecondsPerUnit) = (_firstBase, _firstSlope) = (baseSeconds, secondsPerUnit);
        _usualLoad = usualLoad;
    }

    /// <summary>Seconds at load 0.</summary>
    public double BaseSeconds { get; private set; }

    public double SecondsPerUnit { get; private set; }

    /// <summary>Geometric mean of measured seconds over what the starting line says at the same loads; 1 before the first measurement. Unlike the slope, well known even where all loads are alike.</summary>
    public double Scale { get; private set; } = 1;

    public int Count { get; private set; }

    public double At(double load) => BaseSeconds + (SecondsPerUnit * load);

    /// <summary>Takes in a measurement.</summary>
    public void Add(double load, double seconds)
    {
        if (!(load >= 0 && load < 1e12 && seconds > 0 && seconds < 1e6))
        {
            return;
        }
        var expected = At(load);
        var off = (seconds - expected) / expected;
        var cut = (CutDistances * _distance) + LeastCut;
        var taken = expected * (1 + Math.Clamp(off, -Math.Min(0.9, cut), cut));
        Note(off);
        Fade(1 - (1 / Memory));
        // Weighted so that relative errors count: a millisecond is much of a short wait and nothing of a long one.
        var weight = 1 / (expected * expected);
        _weight += weight;
        _load += weight * load;
        _loadSquared += weight * load * load;
        _seconds += weight * taken;
        _loadSeconds += weight * load * taken;
        _scaleWeight++;
        _scaled += Math.Log(taken / (_firstBase + (_firstSlope * load)));
        Solve();
    }

    private void Note(double off)
    {
        Count = Math.Min(int.MaxValue - 1, Count) + 1;
        _sinceDrift++;
        var pace = Math.Max(0.05, 1.0 / (_sinceDrift + 1));
        _distance += pace * (Math.Min(MostDistance, Math.Abs(off)) - _distance);
        _bias += BiasPace * (Math.Clamp(off, -1, 1) - _bias);
        if (_sinceDrift >= LeastBetweenDrifts && Math.Abs(_bias) > DriftBias)
        {
            Fade(DriftKeep);
            (_bias, _distance, _sinceDrift) = (0, 1, 0);
        }
    }

    private void Fade(double keep)
    {
        _weight *= keep;
        _load *= keep;
        _loadSquared *= keep;
        _seconds *= keep;
        _loadSeconds *= keep;
        _scaleWeight *= keep;
        _scaled *= keep;
    }

    private void Solve()
    {
        // The starting line is scaled to the measured speed; only its shape is believed.
        var scale = Scale = Math.Exp(_scaled / _scaleWeight);
        var (w, x, xx, y, xy) = (_weight, _load, _loadSquared, _seconds, _loadSeconds);
        foreach (var load in (ReadOnlySpan<double>)[0, _usualLoad])
        {
            var seconds = scale * (_firstBase + (_firstSlope * load));
            var weight = StartWeight / (seconds * seconds);
            w += weight;
            x += weight * load;
            xx += weight * load * load;
            y += weight * seconds;
            xy += weight * load * seconds;
        }
        var spread = (w * xx) - (x * x);
        var slope = spread > LeastSpread * w * xx ? Math.Max(0, ((w * xy) - (x * y)) / spread) : 0;
        var start = (y - (slope * x)) / w;
        (BaseSeconds, SecondsPerUnit) = start >= 0 ? (Math.Max(LeastSeconds, start), slope) : (LeastSeconds, xy / xx);
    }
}
