using Gateway.Queueing;
using Gateway.Queueing.Shadows;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Simulation;

namespace Gateway.Replay;

/// <summary>The requests of a run, each from its start to its one end: what happens to them in their gateway and at their engine. Used by one run.</summary>
/// <param name="gateways">Where requests come to.</param>
/// <param name="engines">Where they are sent.</param>
/// <param name="factory">Makes of a row what both see.</param>
/// <param name="hops">The way between them.</param>
/// <param name="time">The run's clock.</param>
/// <param name="ended">Hears of every end.</param>
internal sealed class Flights(
    ReplayedGateways gateways, SimulatedReplica[] engines, RequestFactory factory, Hops hops, VirtualTime time, Action<RequestResult, TraceRequest, TimeSpan> ended)
{
    private readonly Constraints _constraints = new([]) { MayGiveUp = true };

    /// <summary>Requests that have started and not ended.</summary>
    public long Count { get; private set; }

    /// <summary>Requests that had a turn.</summary>
    public long Decisions { get; private set; }

    /// <summary>How often a request gave up its place before its first token.</summary>
    public long Requeued { get; private set; }

    /// <summary>How often an answer that had begun was stopped to go on later.</summary>
    public long Interrupted { get; private set; }

    /// <summary>A request comes to a gateway.</summary>
    public void Start(TraceRequest row, TimeSpan now)
    {
        var engine = engines[0].Model;
        if (!engine.Fits(row.InputTokens, row.OutputTokens) || row.InputTokens + row.OutputTokens > engine.Profile.MaxModelTokens)
        {
            ended(Unserved(row, ReplayOutcome.TooLarge, now, waited: TimeSpan.Zero), row, now);
            return;
        }
        var gateway = gateways.Draw();
        var request = factory.Request(row);
        var estimate = gateway.Core.Estimator.Estimate(request, factory.LengthsOf(row), RequestFactory.BytesPerToken, gateway.Pool.Pool.ContextTokens);
        var flight = new Flight(row, request, estimate, now) { Gateway = gateway };
        Count++;
        flight.Shadowed = gateway.Pool.OnArrived(request, estimate);
        gateway.Pool.Dispatcher.Enter(request, estimate, _constraints, result => Decided(flight, result));
    }

    /// <summary>A step of its engine brought a request a token.</summary>
    /// <param name="flight">The request.</param>
    /// <param name="token">The token.</param>
    /// <param name="sent">The sending that it is for.</param>
    /// <param name="now">When the step ended.</param>
    public void Advance(Flight flight, in EngineToken token, int sent, TimeSpan now)
    {
        // An answer that ended earlier in the same step may have let in a request that preempted this one.
        if (flight.Sent != sent || flight.IsAway || flight.IsOnItsWay)
        {
            return;
        }
        flight.Reservation!.Replica.OnSign();
        flight.GeneratedTokens = flight.EarlierTokens + token.Generated;
        if (token.Generated <= 1)
        {
            flight.Begin(token, now);
        }
        if (token.IsFinished)
        {
            Complete(flight, now);
        }
        else if (flight.Seat is { IsAsked: true })
        {
            GiveUp(flight);
        }
        else if (token.Generated % LoadReservation.ProgressTokens == 0)
        {
            flight.Reservation!.OnProgress(token.Generated, flight.Estimate.Output.RemainingTokens(flight.GeneratedTokens));
            flight.ChargeProgress();
        }
    }

    private void Decided(Flight flight, AdmissionResult result)
    {
        if (result.Reservation is not { } reservation)
        {
            Count--;
            flight.Shadowed?.Dispose();
            ended(Unserved(flight.Trace, ReplayOutcome.Refused, flight.StartedAt, result.Waited), flight.Trace, time.Now);
            return;
        }
        flight.Gateway.Pool.OnDecided(flight.Estimate, result);
        flight.Reservation = reservation;
        if (flight.Shadowed is { } shadowed)
        {
            shadowed.Reservation = reservation;
        }
        if (!flight.WasAdmitted)
        {
            flight.WasAdmitted = true;
            Decisions++;
            flight.AdmittedAt = time.Now;
        }
        (flight.Seat, flight.IsAway) = (result.Seat, false);
        flight.ChargeTurn(result.Charged);
        flight.PrefixHitTokens = result.PrefixHitTokens;
        flight.PrefixHitAge = result.PrefixHitAge;
        hops.Send(flight, EngineOf(flight), time.Now);
        flight.Seat?.OnAsked(() => GiveUp(flight));
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
            EngineOf(flight).Cancel(flight);
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
            flight.Refund();
        }
        flight.Gateway.Pool.Dispatcher.Enter(flight.Request, rest, _constraints with { GaveUp = place }, result => Decided(flight, result));
    }

    private void Complete(Flight flight, TimeSpan now)
    {
        var row = flight.Trace;
        Count--;
        flight.Reservation!.Replica.OnSuccess();
        if (flight.EarlierTokens == 0)
        {
            // A continued answer is not learned from: its times belong to two replicas.
            flight.Reservation.OnAnswered(new ServedAnswer(row.OutputTokens, row.InputTokens, flight.CachedTokens, time.GetTimestamp()));
        }
        flight.Reservation.Dispose();
        flight.Seat?.Leave();
        flight.Gateway.Core.Learner.OnCompleted(flight.ToCompleted(factory.LengthsOf(row), now));
        if (flight.EarlierTokens == 0)
        {
            flight.Gateway.Pool.OnReported(flight.Reservation.Replica, row.InputTokens, flight.PrefixHitTokens, flight.PrefixHitAge, flight.CachedTokens);
        }
        // Traces do not tell why an answer ended: a session's is taken for a call, where it names none of a tool unknown.
        flight.Gateway.Pool.Prefixes.OnToolCall(flight.Request.SessionKey, factory.ToolOf(row));
        flight.Request.Body.Sketch?.Return();
        if (flight.Shadowed is { } shadowed)
        {
            shadowed.OutputTokens = row.OutputTokens;
            shadowed.Dispose();
        }
        flight.ChargeAll();
        ended(flight.ToResult(now), row, now);
    }

    private SimulatedReplica EngineOf(Flight flight) => engines[flight.Gateway.EngineOf(flight.Reservation!)];

    private static RequestResult Unserved(TraceRequest row, ReplayOutcome outcome, TimeSpan arrival, TimeSpan waited) => new()
    {
        Outcome = outcome,
        Arrival = arrival,
        QueueWait = waited,
        InputTokens = row.InputTokens,
        ClientId = row.ClientId,
        SessionId = row.SessionId,
        Priority = row.Priority,
    };
}
