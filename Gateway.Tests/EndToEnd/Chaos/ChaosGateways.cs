using System.Globalization;
using Gateway.Configuration;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd.Chaos;

/// <summary>Gateways in front of one fleet. Stopping one and starting its successor is one step; what a stopped one still holds is looked at. Steered by one task, read by all.</summary>
internal sealed class ChaosGateways(ChaosFleet fleet, GatewayOptions options) : IAsyncDisposable
{
    private readonly List<Task> _farewells = [];
    private double _continued;
    private GatewayServer[] _servers = [];

    /// <summary>Where a client may ask.</summary>
    public IReadOnlyList<Uri> Addresses { get; private set; } = [];

    /// <summary>Gateways that were stopped.</summary>
    public int Stopped { get; private set; }

    public async Task StartAsync(int count)
    {
        _servers = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => OneAsync()));
        Publish();
    }

    /// <summary>Stops a gateway as SIGTERM does: clients may find its port closed, running answers go on. Another one takes its place.</summary>
    public async Task ReplaceAsync(int index)
    {
        var old = _servers[index];
        _continued += await ContinuedAsync(Addresses[index]);
        _farewells.Add(FarewellAsync(old));
        Stopped++;
        _servers[index] = await OneAsync();
        Publish();
    }

    /// <summary>Waits until nothing runs, and asserts that nothing is held anywhere, here or by those that were stopped.</summary>
    public async Task AssertNothingHeldAsync()
    {
        await Task.WhenAll(_farewells).ComesAsync("the end of the stopped gateways", TimeSpan.FromMinutes(2));
        foreach (var server in _servers)
        {
            await Until.HoldsAsync(() => Holds(server).Length == 0, $"a gateway holds nothing ({Holds(server)})");
            using var client = new HttpClient { BaseAddress = new Uri(server.Urls[0]) };
            AssertNoNegative(await client.GetStringAsync("/metrics"));
        }
    }

    /// <summary>Streams that another engine went on with, at all gateways up to their stop.</summary>
    public async Task<double> ContinuedAsync() => _continued + (await Task.WhenAll(Addresses.Select(ContinuedAsync))).Sum();

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_farewells);
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }
    }

    private static async Task<double> ContinuedAsync(Uri address)
    {
        using var client = new HttpClient { BaseAddress = address };
        return await client.MetricAsync("gateway_streams_continued_total", "outcome=\"continued\"");
    }

    private static async Task FarewellAsync(GatewayServer server)
    {
        await server.StopAsync(CancellationToken.None);
        await Until.HoldsAsync(() => Holds(server).Length == 0, $"a stopped gateway holds nothing ({Holds(server)})");
        await server.DisposeAsync();
    }

    // What is held, in words; empty when nothing is.
    private static string Holds(GatewayServer server)
    {
        var model = server.Core.Find(GatewayWorld.Model)!;
        // Its own: what others run is still told to one that stops.
        var held = model.Pool.ReplicaList.Select(replica => replica.Own).Where(own => own != default)
            .Select(own => string.Create(CultureInfo.InvariantCulture, $"{own.Requests} requests, {own.ReservedTokens} tokens"));
        var waiting = Enum.GetValues<PriorityClass>().Sum(priority => model.Dispatcher.Waiting(priority));
        var tenant = server.Limits.Find("all");
        return string.Join("; ", held.Concat(waiting == 0 ? [] : [$"{waiting} wait"]).Concat(tenant is null or { Running: 0, ReservedTokens: 0 } ? [] : [$"{tenant.Running} of the tenant"]));
    }

    // A drift is a difference, and may have either sign.
    private static void AssertNoNegative(string page) => Assert.DoesNotContain(
        page.Split('\n'), line => !line.StartsWith('#') && !line.StartsWith("gateway_ledger_drift", StringComparison.Ordinal) && line.Contains(" -", StringComparison.Ordinal));

    private async Task<GatewayServer> OneAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var server = await GatewayServer.StartAsync(options, new ServerSettings { Names = fleet }, patience.Token);
        await server.ReadyAsync(patience.Token);
        return server;
    }

    private void Publish() => Addresses = [.. _servers.Select(server => new Uri(server.Urls[0]))];
}
