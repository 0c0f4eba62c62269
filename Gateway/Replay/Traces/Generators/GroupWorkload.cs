using Gateway.Simulation;

namespace Gateway.Replay.Traces.Generators;

/// <summary>Groups of prompts with a long beginning in common and a short end of their own, shuffled over the run: 150 groups of 5 unless told.</summary>
internal sealed class GroupWorkload : IWorkload
{
    private readonly ArrivalProcess _arrivals;
    private readonly int _groups;
    private readonly int _prompts;
    private readonly int _sharedTokens;
    private readonly TokenLengths _own;
    private readonly TokenLengths _outputs;
    private readonly Tenants _tenants;

    public GroupWorkload(WorkloadSpec words)
    {
        _arrivals = ArrivalProcess.Of(words, 10, 1);
        _groups = words.Count("groups", 150, 1, 100_000);
        _prompts = words.Count("prompts", 5, 1, 10_000);
        _sharedTokens = words.Count("shared", 9_500, 0, 1_000_000);
        _own = words.Lengths("own", "500");
        _outputs = words.Lengths("output", "1000");
        _tenants = new Tenants(words);
        if ((long)_groups * _prompts > 10_000_000)
        {
            throw new TraceException($"{words.Name}: groups x prompts is not allowed above 10000000.");
        }
    }

    public IEnumerable<TraceRequest> Generate(int seed)
    {
        var (inputs, outputs, clients) = (Chance.Stream(seed, "inputs"), Chance.Stream(seed, "outputs"), Chance.Stream(seed, "clients"));
        var order = Enumerable.Range(0, _groups * _prompts).ToArray();
        Chance.Stream(seed, "order").Shuffle(order);
        var next = 0;
        foreach (var arrival in _arrivals.Times(Chance.Stream(seed, "arrivals")).Take(order.Length))
        {
            var prompt = order[next++];
            var input = _sharedTokens + _own.Draw(inputs).Tokens;
            var (tokens, lengthClass) = _outputs.Draw(outputs);
            yield return new TraceRequest
            {
                Arrival = arrival,
                InputTokens = input,
                OutputTokens = tokens,
                LengthClass = lengthClass,
                ClientId = _tenants.Draw(clients),
                Blocks = PrefixBlocks.Of(Hashing.Chain(1, (ulong)(prompt / _prompts)), _sharedTokens, Hashing.Chain(2, (ulong)prompt), input),
                BlockTokens = PrefixBlocks.BlockTokens,
            };
        }
    }
}
