namespace Gateway.Queueing.Orders;

/// <summary>What each key was served so far. Bounded: the least served of those who do not wait are forgotten first. Guarded by the dispatcher's lock.</summary>
internal sealed class ServiceCounters
{
    private const int MaxKeys = 100_000;

    private readonly Dictionary<ulong, double> _served = [];
    private double _floor;

    public double Of(ulong key) => key == 0 ? 0 : _served.GetValueOrDefault(key, _floor);

    /// <summary>Lifts a key that was served less than <paramref name="least"/>.</summary>
    public void Lift(ulong key, double least) => Charge(key, Math.Max(0, least - Of(key)));

    public void Charge(ulong key, double amount)
    {
        if (key == 0)
        {
            return;
        }
        if (_served.Count >= MaxKeys)
        {
            Forget();
        }
        _served[key] = Math.Max(0, Of(key) + amount);
    }

    // Half of the keys, those served least: their place is taken by the floor, from which they start again.
    private void Forget()
    {
        var middle = _served.Values.Order().ElementAt(_served.Count / 2);
        foreach (var key in _served.Where(pair => pair.Value <= middle).Select(pair => pair.Key).ToArray())
        {
            _served.Remove(key);
        }
        _floor = middle;
    }
}
