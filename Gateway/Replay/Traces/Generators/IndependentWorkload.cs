using Gateway.Requests;

namespace Gateway.Replay.Traces.Generators;

/// <summary>Requests that know nothing of each other: arrivals, lengths and clients are drawn independently.</summary>
internal sealed class IndependentWorkload : IWorkload
{
    /// <summary>Time to first token that is good for an interactive and for a batch request, where classes are mixed.</summary>
    private static readonly TimeSpan InteractiveSlo = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BatchSlo = TimeSpan.FromSeconds(30);

    private readonly ArrivalProcess _arrivals;
    private readonly int _requests;
    private readonly TokenLengths _inputs;
    private readonly TokenLengths _outputs;
    private readonly Tenants _tenants;
    private readonly double _interactiveShare;

    public IndependentWorkload(WorkloadSpec words, IndependentDefaults defaults)
    {
        _arrivals = ArrivalProcess.Of(words, defaults.PerSecond, defaults.Variation);
        _requests = words.Count("requests", 2_000, 1, int.MaxValue);
        _inputs = words.Lengths("input", defaults.Input);
        _outputs = words.Lengths("output", defaults.Output);
        _tenants = new Tenants(words, defaults.Clients, defaults.Flood);
        _interactiveShare = words.Number("interactive", defaults.InteractiveShare, -1, 1);
    }

    public IEnumerable<TraceRequest> Generate(int seed)
    {
        var (inputs, outputs) = (Chance.Stream(seed, "inputs"), Chance.Stream(seed, "outputs"));
        var (clients, classes) = (Chance.Stream(seed, "clients"), Chance.Stream(seed, "classes"));
        foreach (var arrival in _arrivals.Times(Chance.Stream(seed, "arrivals")).Take(_requests))
        {
            var (tokens, lengthClass) = _outputs.Draw(outputs);
            var request = new TraceRequest
            {
                Arrival = arrival,
                InputTokens = _inputs.Draw(inputs).Tokens,
                OutputTokens = tokens,
                LengthClass = lengthClass,
                ClientId = _tenants.Draw(clients),
            };
            yield return _interactiveShare < 0 ? request
                : classes.NextDouble() < _interactiveShare ? request with { Priority = PriorityClass.Interactive, TimeToFirstTokenSlo = InteractiveSlo }
                : request with { Priority = PriorityClass.Batch, TimeToFirstTokenSlo = BatchSlo };
        }
    }
}

/// <summary>What a named workload takes where its words say nothing. An interactive share of -1 leaves all requests in the default class, else the others are batch.</summary>
internal sealed record IndependentDefaults(
    double PerSecond, double Variation = 1, string Input = "sharegpt", string Output = "classes", int Clients = 0, double Flood = 1, double InteractiveShare = -1);
