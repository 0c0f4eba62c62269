using System.Net;
using System.Net.Sockets;
using Gateway.Replicas.Engines.Discovery;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd.Chaos;

/// <summary>Engines behind one name, each at a loopback address of its own, that can be killed, brought back, made to misbehave, and taken out of the name. Steered by one task.</summary>
internal sealed class ChaosFleet : INameResolver, IAsyncDisposable
{
    public const string Name = "engines.test";

    private readonly SimulatedEngineOptions _options;
    private readonly SimulatedEngine?[] _engines;
    private volatile bool[] _isNamed;

    private ChaosFleet(int engines, SimulatedEngineOptions options) =>
        (_options, _engines, _isNamed) = (options, new SimulatedEngine?[engines], [.. Enumerable.Repeat(true, engines)]);

    public int Count => _engines.Length;

    public Uri Uri => new($"http://{Name}:{_options.Port}");

    /// <summary>Those that run.</summary>
    public IEnumerable<SimulatedEngine> Running => _engines.OfType<SimulatedEngine>();

    /// <summary>The host of an engine's address.</summary>
    public static string HostOf(int index) => AddressOf(index).ToString();

    /// <summary>Starts all of them, on one port that is free at every address.</summary>
    public static async Task<ChaosFleet> StartAsync(int engines, SimulatedEngineOptions options)
    {
        var fleet = new ChaosFleet(engines, options with { Port = FreePort.Take() });
        for (var i = 0; i < engines; i++)
        {
            await fleet.ReviveAsync(i);
        }
        return fleet;
    }

    /// <summary>Ends an engine as a dying process does: its streams break, and its port refuses.</summary>
    public async Task KillAsync(int index)
    {
        if (_engines[index] is { } engine)
        {
            _engines[index] = null;
            await engine.DisposeAsync();
        }
    }

    /// <summary>Starts an engine again at its address.</summary>
    public async Task ReviveAsync(int index) =>
        _engines[index] ??= await SimulatedEngine.StartAsync(_options with { Host = AddressOf(index) }, CancellationToken.None);

    public void Misbehave(int index, EngineFaults faults)
    {
        if (_engines[index] is { } engine)
        {
            engine.Faults = faults;
        }
    }

    /// <summary>Puts an engine's address into the name's answers, or takes it out.</summary>
    public void SetNamed(int index, bool isNamed)
    {
        var named = (bool[])_isNamed.Clone();
        named[index] = isNamed;
        _isNamed = named;
    }

    public Task<IReadOnlyList<IPAddress>> ResolveAsync(string name, CancellationToken cancellationToken)
    {
        var named = _isNamed;
        return name == Name
            ? Task.FromResult<IReadOnlyList<IPAddress>>([.. Enumerable.Range(0, Count).Where(i => named[i]).Select(AddressOf)])
            : throw new SocketException((int)SocketError.HostNotFound);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var engine in Running)
        {
            await engine.DisposeAsync();
        }
    }

    private static IPAddress AddressOf(int index) => new([127, 0, 0, (byte)(10 + index)]);
}
