using System.Globalization;

namespace Gateway.Replay.Traces.Generators;

/// <summary>Who asks: so many clients alike, of which the first may ask several times as often as each other.</summary>
internal sealed class Tenants
{
    private readonly int _clients;
    private readonly double _flood;
    private readonly string[] _names;

    /// <summary>The parameters clients (0: nobody is named) and flood (1: all alike) of a workload.</summary>
    public Tenants(WorkloadSpec words, int clients = 0, double flood = 1)
    {
        _clients = words.Count("clients", clients, 0, 100_000);
        _flood = words.Number("flood", flood, 1, 1e6);
        _names = [.. Enumerable.Range(0, _clients).Select(index => string.Create(CultureInfo.InvariantCulture, $"c{index}"))];
    }

    /// <returns>Null where nobody is named; takes a draw in any case.</returns>
    public string? Draw(Random chance)
    {
        var place = chance.NextDouble() * (_flood + _clients - 1);
        return _clients == 0 ? null : place < _flood ? _names[0] : _names[Math.Min(_clients - 1, 1 + (int)(place - _flood))];
    }
}
