namespace Gateway.Queueing;

/// <summary>The most that somebody asked for at once, in the hour before the last ten to twenty minutes: what is new becomes usual when it has lasted for so long.</summary>
/// <remarks>The most, not the mean: a client that sends in bursts is as usual in one as between two.</remarks>
internal sealed class UsualDemand
{
    private const int Judged = 6;

    // This one, and the one before.
    private const int TooNew = 2;

    // Ten minutes, in halves of a minute.
    private const int Period = 20;

    // A ring: each at its number.
    private readonly float[] _most = new float[TooNew + Judged];
    private readonly long _since;
    private long _period;
    private long _notedIn;
    private double? _usual;

    /// <param name="half">Number of the half of a minute that it is, here and below.</param>
    public UsualDemand(long half) => _since = _period = _notedIn = half / Period;

    /// <summary>It asks for so much now.</summary>
    public void Note(long half, double asked)
    {
        Turn(half / Period);
        _notedIn = _period;
        ref var most = ref _most[_period % _most.Length];
        most = Math.Max(most, (float)asked);
    }

    /// <summary>What is usual; null: it is not known for long enough, or asked for nothing then.</summary>
    public double? At(long half)
    {
        Turn(half / Period);
        return _usual;
    }

    /// <summary>Whether nothing is left of what was noted.</summary>
    public bool IsForgotten(long half) => (half / Period) - _notedIn >= _most.Length;

    private void Turn(long period)
    {
        if (period == _period)
        {
            return;
        }
        for (var next = Math.Max(_period + 1, period - _most.Length + 1); next <= period; next++)
        {
            _most[next % _most.Length] = 0;
        }
        _period = period;
        // Its first period was no whole one.
        var most = 0f;
        for (var judged = Math.Max(_since + 1, period - _most.Length + 1); judged <= period - TooNew; judged++)
        {
            most = Math.Max(most, _most[judged % _most.Length]);
        }
        _usual = most > 0 ? most : null;
    }
}
