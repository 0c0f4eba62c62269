using System.Runtime.InteropServices;

namespace Gateway.Queueing.Orders;

/// <summary>What each key was served so far. Bounded: the least served of those who do not wait are forgotten first. Guarded by the dispatcher's lock.</summary>
internal sealed class ServiceCounters
{
    private const int MaxKeys = 100_000;

    private readonly Dictionary<ulong, double> _served = [];
    private readonly SortedSet<(double Served, ulong Key)> _order = [];
    private double _floor;

    /// <summary>What the key that was served most was; 0: nobody was served anything.</summary>
    public double Most => _order.Count == 0 ? _floor : _order.Max.Served;

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
        var now = Math.Max(0, Of(key) + amount);
        ref var served = ref CollectionsMarshal.GetValueRefOrAddDefault(_served, key, out var isKnown);
        if (isKnown && served == now)
        {
            return;
        }
        _order.Remove((served, key));
        _order.Add((now, key));
        served = now;
    }

    // Half of the keys, those served least: their place is taken by the floor, from which they start again.
    private void Forget()
    {
        for (var rest = _served.Count / 2; rest >= 0; rest--)
        {
            (_floor, var key) = _order.Min;
            _order.Remove((_floor, key));
            _served.Remove(key);
        }
    }
}
