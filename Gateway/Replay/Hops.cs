using Gateway.Replicas;

namespace Gateway.Replay;

/// <summary>Requests on their way from a gateway to an engine. Used by one run.</summary>
/// <param name="hopTime">How long that takes.</param>
/// <param name="factory">Makes what the engine runs.</param>
internal sealed class Hops(TimeSpan hopTime, RequestFactory factory)
{
    // All are equally long on their way: who left first is there first.
    private readonly Queue<Hop> _hops = new();

    /// <summary>When the next one comes to its engine; null: none is on its way.</summary>
    public TimeSpan? NextEnd => _hops.TryPeek(out var hop) ? hop.Ends : null;

    public void Send(Flight flight, SimulatedReplica engine, TimeSpan now)
    {
        if (hopTime == TimeSpan.Zero)
        {
            Submit(flight, engine);
            return;
        }
        flight.IsOnItsWay = true;
        _hops.Enqueue(new Hop(now + hopTime, flight, flight.Reservation!, engine));
    }

    public void End(TimeSpan now)
    {
        while (NextEnd <= now)
        {
            var (_, flight, reservation, engine) = _hops.Dequeue();
            // One that gave up its place on the way is not there, or is on its way elsewhere.
            if (flight.IsOnItsWay && flight.Reservation == reservation)
            {
                flight.IsOnItsWay = false;
                Submit(flight, engine);
            }
        }
    }

    private void Submit(Flight flight, SimulatedReplica engine) => engine.Submit(flight, factory.EngineRequest(flight.Trace, flight.EarlierTokens));

    private readonly record struct Hop(TimeSpan Ends, Flight Flight, LoadReservation Reservation, SimulatedReplica Engine);
}
