using Gateway.Replay.Traces.Generators;

namespace Gateway.Replay.Traces;

/// <summary>A workload in which one client sends each of its requests several times: the copies come within a minute of the original.</summary>
/// <param name="inner">The workload itself.</param>
/// <param name="client">As the workload names it.</param>
/// <param name="times">How many times its own rate, at least 2.</param>
/// <param name="seed">Of the copies' times.</param>
/// <param name="from">Since the workload's start; earlier requests are sent once.</param>
internal sealed class FloodedTrace(ITrace inner, string client, int times, int seed, TimeSpan from = default) : ITrace
{
    private static readonly TimeSpan Spread = TimeSpan.FromMinutes(1);

    public string Name => inner.Name;

    public IEnumerable<TraceRequest> Read()
    {
        var chance = Chance.Stream(seed, "flood");
        var copies = new PriorityQueue<TraceRequest, (TimeSpan Arrival, long Sequence)>();
        var made = 0L;
        foreach (var row in inner.Read())
        {
            while (copies.TryPeek(out var copy, out var due) && due.Arrival <= row.Arrival)
            {
                yield return copy;
                copies.Dequeue();
            }

            yield return row;
            for (var i = 1; row.ClientId == client && row.Arrival >= from && i < times; i++)
            {
                var arrival = row.Arrival + (chance.NextDouble() * Spread);
                copies.Enqueue(row with { Arrival = arrival }, (arrival, ++made));
            }
        }

        if (made == 0)
        {
            throw new TraceException($"{Name}: no request of a client \"{client}\", which is to flood. Allowed: a client_id of the workload.");
        }

        while (copies.TryDequeue(out var copy, out _))
        {
            yield return copy;
        }
    }
}
