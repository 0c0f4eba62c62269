using System.Runtime.InteropServices;

namespace Gateway.Queueing.Orders;

/// <summary>What each key was served so far; under the key 0 nothing is counted. Bounded: those served least are forgotten first. Guarded by the dispatcher's lock.</summary>
internal sealed class ServiceCounters
{
    private const int MaxKeys = 100_000;

    private readonly Dictionary<ulong, double> _served = [];
    private double _floor;

    // Null: whoever was served most was given something back. Charges are many and this is asked when a queue begins, so it is looked for then.
    private double? _most;

    /// <summary>What the key that was served most was; 0: nobody was served anything.</summary>
    public double Most => _most ??= _served.Count == 0 ? _floor : _served.Values.Max();

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
        ref var served = ref CollectionsMarshal.GetValueRefOrAddDefault(_served, key, out _);
        _most = now >= _most ? now : served == _most ? null : _most;
        served = now;
    }

    // Half of the keys, those served least: their place is taken by the floor, from which they start again.
    private void Forget()
    {
        var least = _served.OrderBy(pair => pair.Value).Take((_served.Count / 2) + 1).ToList();
        _floor = least[^1].Value;
        foreach (var (key, _) in least)
        {
            _served.Remove(key);
        }
    }
}
