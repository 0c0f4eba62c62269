using Gateway.Cli.Live;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;

namespace Gateway.Tests.Cli.Live;

/// <summary>Rows given by a test.</summary>
internal sealed class GivenTrace(params TraceRequest[] rows) : ITrace
{
    public string Name => "given";

    public IEnumerable<TraceRequest> Read() => rows;

    public static TraceRequest Row(double seconds = 0, int input = 20, int output = 4, string? session = null) => new()
    {
        Arrival = TimeSpan.FromSeconds(seconds),
        InputTokens = input,
        OutputTokens = output,
        SessionId = session,
        ClientId = session,
    };
}

/// <summary>A load in a test: what it was told, and what came of it.</summary>
internal sealed class TestedLoad(Uri endpoint, int mostOpen = 1_000, TimeSpan? patience = null, bool plain = false) : IRunObserver, IDisposable
{
    private readonly LiveClient _client = new(
        new LiveTarget { Root = new Uri(endpoint, "/v1/"), Seed = 1, IsPlain = plain, Patience = patience ?? TimeSpan.FromMinutes(1) }, TimeProvider.System);

    public List<RequestResult> Results { get; } = [];

    public Task WarmUpAsync() => _client.WarmUpAsync("demo", CancellationToken.None);

    public Task<LoadFigures> RunAsync(ITrace trace, CancellationToken cancellationToken = default) =>
        new LiveLoad(_client, "demo", mostOpen, this, TimeProvider.System).RunAsync(trace, cancellationToken);

    public void OnRequest(in RequestResult result) => Results.Add(result);

    public void OnSample(in ReplicaSample sample)
    {
    }

    public void OnQueue(in QueueSample sample)
    {
    }

    public void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines)
    {
    }

    public void Dispose() => _client.Dispose();
}
