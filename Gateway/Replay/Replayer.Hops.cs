using Gateway.Replicas;

namespace Gateway.Replay;

/// <content>Requests on their way from the gateway to an engine.</content>
public sealed partial class Replayer
{
    // All are equally long on their way: who left first is there first.
    private readonly Queue<Hop> _hops = new();

    private TimeSpan? NextHop => _hops.TryPeek(out var hop) ? hop.Ends : null;

    private void Send(Flight flight, SimulatedReplica engine)
    {
        if (_settings.HopTime == TimeSpan.Zero)
        {
            engine.Submit(flight, _factory.EngineRequest(flight.Trace, flight.EarlierTokens));
            return;
        }
        flight.IsOnItsWay = true;
        _hops.Enqueue(new Hop(_time.Now + _settings.HopTime, flight, flight.Reservation!, engine));
    }

    private void EndHops(TimeSpan now)
    {
        while (NextHop <= now)
        {
            var (_, flight, reservation, engine) = _hops.Dequeue();
            // One that gave up its place on the way is not there, or is on its way elsewhere.
            if (flight.IsOnItsWay && flight.Reservation == reservation)
            {
                flight.IsOnItsWay = false;
                engine.Submit(flight, _factory.EngineRequest(flight.Trace, flight.EarlierTokens));
            }
        }
    }

    private readonly record struct Hop(TimeSpan Ends, Flight Flight, LoadReservation Reservation, SimulatedReplica Engine);
}
