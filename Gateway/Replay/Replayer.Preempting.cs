using Gateway.Queueing;
using Gateway.Simulation;

namespace Gateway.Replay;

/// <content>Requests that have to give up their place, and what their orders charge.</content>
public sealed partial class Replayer
{
    /// <summary>How often a request gave up its place before its first token.</summary>
    public long Requeued { get; private set; }

    /// <summary>How often an answer that had begun was stopped to go on later.</summary>
    public long Interrupted { get; private set; }

    private static void Begin(Flight flight, in EngineToken token, TimeSpan now)
    {
        if (flight.EarlierTokens == 0)
        {
            flight.FirstTokenAt = now;
            flight.CachedTokens = token.CachedTokens;
        }
        flight.Reservation!.OnFirstToken();
        flight.Seat?.TryBegin(mayContinue: true);
    }

    private void GiveUp(Flight flight)
    {
        if (flight.GeneratedTokens == 0)
        {
            Requeued++;
        }
        else
        {
            Interrupted++;
        }
        flight.IsAway = true;
        flight.EarlierTokens = flight.GeneratedTokens;
        if (!flight.IsOnItsWay)
        {
            _engines[flight.Gateway.EngineOf(flight.Reservation!)].Cancel(flight);
        }
        flight.IsOnItsWay = false;
        flight.Reservation!.Replica.OnAbandoned();
        flight.Reservation.Dispose();
        var place = flight.Seat!;
        place.Leave();
        var rest = flight.Estimate;
        if (flight.EarlierTokens > 0)
        {
            rest = rest with { PromptTokens = rest.PromptTokens + flight.EarlierTokens, Output = rest.Output.After(flight.EarlierTokens) };
        }
        else
        {
            flight.Gateway.Pool.Dispatcher.Settle(flight.Request, flight.Charged, default);
            flight.Charged = default;
        }
        flight.Gateway.Pool.Dispatcher.Enter(flight.Request, rest, _constraints with { GaveUp = place }, result => Decided(flight, result));
    }

    // The client asked for one answer: computing its beginning again is not charged.
    private static void ChargeTurn(Flight flight, in ServedTokens charged)
    {
        if (flight.EarlierTokens > 0)
        {
            flight.Gateway.Pool.Dispatcher.Settle(flight.Request, charged, default);
        }
        else
        {
            flight.Charged = charged;
        }
    }

    // What was expected is charged at the turn; what streams beyond it as it comes.
    private static void Charge(Flight flight)
    {
        if (flight.Charged != default && flight.GeneratedTokens > flight.Charged.OutputTokens)
        {
            var served = flight.Charged with { OutputTokens = flight.GeneratedTokens };
            flight.Gateway.Pool.Dispatcher.Settle(flight.Request, flight.Charged, served);
            flight.Charged = served;
        }
    }
}
