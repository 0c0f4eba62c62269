using Gateway.Simulation;

namespace Gateway.Replay.Traces.Generators;

/// <summary>Bursts of requests with one beginning that no cache has seen: 100 within 50 ms unless told, every 20 s.</summary>
internal sealed class SiblingWorkload : IWorkload
{
    private readonly ArrivalProcess _arrivals;
    private readonly int _requests;
    private readonly int _burst;
    private readonly TimeSpan _window;
    private readonly int _sharedTokens;
    private readonly TokenLengths _own;
    private readonly TokenLengths _outputs;

    public SiblingWorkload(WorkloadSpec words)
    {
        _arrivals = ArrivalProcess.Of(words, 0.05, 1);
        _requests = words.Count("requests", 1_000, 1, int.MaxValue);
        _burst = words.Count("burst", 100, 1, 100_000);
        _window = words.Span("window", TimeSpan.FromMilliseconds(50));
        _sharedTokens = words.Count("shared", 4_000, 0, 1_000_000);
        _own = words.Lengths("own", "100");
        _outputs = words.Lengths("output", "classes");
    }

    public IEnumerable<TraceRequest> Generate(int seed)
    {
        var (inputs, outputs, offsets) = (Chance.Stream(seed, "inputs"), Chance.Stream(seed, "outputs"), Chance.Stream(seed, "offsets"));
        var starts = _arrivals.Times(Chance.Stream(seed, "arrivals")).GetEnumerator();
        var (made, free) = (0L, TimeSpan.Zero);
        for (var burst = 0UL; made < _requests; burst++)
        {
            starts.MoveNext();
            // A burst begins after the one before has ended, so rows stay sorted without looking ahead.
            var start = starts.Current > free ? starts.Current : free;
            free = start + _window;
            var times = Enumerable.Range(0, _burst).Select(_ => start + (_window * offsets.NextDouble())).Order().ToArray();
            foreach (var arrival in times.Take((int)Math.Min(_burst, _requests - made)))
            {
                var input = _sharedTokens + _own.Draw(inputs).Tokens;
                var (tokens, lengthClass) = _outputs.Draw(outputs);
                yield return new TraceRequest
                {
                    Arrival = arrival,
                    InputTokens = input,
                    OutputTokens = tokens,
                    LengthClass = lengthClass,
                    Blocks = PrefixBlocks.Of(Hashing.Chain(3, burst), _sharedTokens, Hashing.Chain(4, (ulong)made++), input),
                    BlockTokens = PrefixBlocks.BlockTokens,
                };
            }
        }
    }
}
