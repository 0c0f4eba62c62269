using System.Globalization;
using Gateway.Simulation;

namespace Gateway.Replay.Traces.Generators;

/// <summary>
/// Conversations: a system prompt that many share, then turns whose prompt is everything said before and the next question. A turn starts a pause after the
/// last answer, that of the tool that the answer called where there are tools; its <see cref="TraceRequest.Arrival"/> is its session's start.
/// </summary>
internal sealed class SessionWorkload : IWorkload
{
    private readonly ArrivalProcess _starts;
    private readonly int _requests;
    private readonly TokenLengths _turns;
    private readonly int _systemTokens;
    private readonly int _systems;
    private readonly TokenLengths _questions;
    private readonly TokenLengths _outputs;
    private readonly TimeSpan _think;
    private readonly ToolPauses _tools;
    private readonly Tenants _tenants;
    private readonly int _mostTokens;

    public SessionWorkload(WorkloadSpec words)
    {
        _starts = ArrivalProcess.Of(words, 1, 1);
        _requests = words.Count("requests", 2_000, 1, int.MaxValue);
        _turns = words.Lengths("turns", "6");
        _systemTokens = words.Count("system", 1_000, 0, 1_000_000);
        _systems = words.Count("systems", 1, 1, 1_000_000);
        _questions = words.Lengths("user", "200");
        _outputs = words.Lengths("output", "classes");
        _think = words.Span("think", TimeSpan.FromSeconds(5));
        _mostTokens = words.Count("context", 131_072, 1, 10_000_000);
        _tools = new ToolPauses(words);
        _tenants = new Tenants(words);
    }

    public IEnumerable<TraceRequest> Generate(int seed)
    {
        var streams = new Streams(seed);
        var made = 0L;
        var session = 0UL;
        foreach (var start in _starts.Times(Chance.Stream(seed, "arrivals")))
        {
            foreach (var turn in Turns(session++, streams))
            {
                yield return turn with { Arrival = start };
                if (++made == _requests)
                {
                    yield break;
                }
            }
        }
    }

    /// <summary>Ends early where the next prompt and answer would not fit the context, but never before the first turn.</summary>
    private IEnumerable<TraceRequest> Turns(ulong session, Streams streams)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"s{session}");
        var system = Hashing.Chain(5, (ulong)streams.Systems.Next(_systems));
        var client = _tenants.Draw(streams.Clients);
        var turns = _turns.Draw(streams.Turns).Tokens;
        var input = _systemTokens;
        TimeSpan? pause = null;
        for (var turn = 0; turn < turns; turn++)
        {
            input += _questions.Draw(streams.Inputs).Tokens;
            var (output, lengthClass) = _outputs.Draw(streams.Outputs);
            if (turn > 0 && input + output > _mostTokens)
            {
                yield break;
            }

            var called = _tools.Draw(streams.Tools);
            yield return new TraceRequest
            {
                Arrival = TimeSpan.Zero,
                InputTokens = input,
                OutputTokens = output,
                LengthClass = lengthClass,
                ClientId = client,
                SessionId = name,
                Think = pause,
                Tool = called?.Name,
                Blocks = PrefixBlocks.Of(system, _systemTokens, Hashing.Chain(6, session), input),
                BlockTokens = PrefixBlocks.BlockTokens,
            };
            pause = called?.Pause ?? _think;
            input += output;
        }
    }

    private sealed class Streams(int seed)
    {
        public Random Inputs { get; } = Chance.Stream(seed, "inputs");

        public Random Outputs { get; } = Chance.Stream(seed, "outputs");

        public Random Turns { get; } = Chance.Stream(seed, "turns");

        public Random Systems { get; } = Chance.Stream(seed, "systems");

        public Random Clients { get; } = Chance.Stream(seed, "clients");

        public Random Tools { get; } = Chance.Stream(seed, "tools");
    }
}
