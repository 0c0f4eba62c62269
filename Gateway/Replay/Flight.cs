using Gateway.Estimation;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Queueing.Shadows;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Simulation;

namespace Gateway.Replay;

/// <summary>One request on its way through a run, from its start to its end. Used by one run.</summary>
internal sealed class Flight(TraceRequest trace, InferenceRequest request, RequestEstimate estimate, TimeSpan startedAt)
{
    public TraceRequest Trace { get; } = trace;

    public InferenceRequest Request { get; } = request;

    public RequestEstimate Estimate { get; } = estimate;

    /// <summary>When it came: the trace's arrival, or later where its session was still busy.</summary>
    public TimeSpan StartedAt { get; } = startedAt;

    /// <summary>The gateway that it came to.</summary>
    public required ReplayedGateway Gateway { get; init; }

    public LoadReservation? Reservation { get; set; }

    /// <summary>As a second policy sees it; null: there is none.</summary>
    public ShadowedRequest? Shadowed { get; set; }

    /// <summary>Whether it had its turn once.</summary>
    public bool WasAdmitted { get; set; }

    public TimeSpan AdmittedAt { get; set; }

    public TimeSpan FirstTokenAt { get; set; }

    public int CachedTokens { get; set; }

    public int PrefixHitTokens { get; set; }

    public TimeSpan PrefixHitAge { get; set; }

    /// <summary>The place that it may have to give up; null: it keeps it.</summary>
    public Seat? Seat { get; set; }

    /// <summary>What its order charged so far.</summary>
    public ServedTokens Charged { get; set; }

    /// <summary>Its name in its engine.</summary>
    public int Handle { get; set; }

    /// <summary>How often it was sent to an engine: what an engine still has for it from before says nothing.</summary>
    public int Sent { get; set; }

    /// <summary>Whether it was sent and has not come to its engine.</summary>
    public bool IsOnItsWay { get; set; }

    /// <summary>Whether it gave up its place and waits for another.</summary>
    public bool IsAway { get; set; }

    /// <summary>Tokens that came before it was sent the last time.</summary>
    public int EarlierTokens { get; set; }

    /// <summary>Tokens so far.</summary>
    public int GeneratedTokens { get; set; }

    /// <summary>Its first token came, or the first after it came back to an engine.</summary>
    public void Begin(in EngineToken token, TimeSpan now)
    {
        if (EarlierTokens == 0)
        {
            FirstTokenAt = now;
            CachedTokens = token.CachedTokens;
        }
        Reservation!.OnFirstToken();
        Seat?.TryBegin(mayContinue: true);
    }

    /// <summary>Notes what its order charges for a turn.</summary>
    public void ChargeTurn(in ServedTokens charged)
    {
        if (EarlierTokens > 0)
        {
            // The client asked for one answer: computing its beginning again is not charged.
            Settle(charged, default);
        }
        else
        {
            Charged = charged;
        }
    }

    /// <summary>What was expected is charged at the turn; what streams beyond it as it comes.</summary>
    public void ChargeProgress()
    {
        if (Charged != default && GeneratedTokens > Charged.OutputTokens)
        {
            var served = Charged with { OutputTokens = GeneratedTokens };
            Settle(Charged, served);
            Charged = served;
        }
    }

    /// <summary>Its turn was in vain: nothing is charged.</summary>
    public void Refund()
    {
        Settle(Charged, default);
        Charged = default;
    }

    /// <summary>It has its whole answer: what that took is charged.</summary>
    public void ChargeAll() => Settle(Charged, new ServedTokens(Trace.InputTokens - CachedTokens, Trace.OutputTokens));

    /// <summary>What the run's figures are made of, once it has its whole answer.</summary>
    public RequestResult ToResult(TimeSpan now) => new()
    {
        Outcome = ReplayOutcome.Completed,
        Arrival = StartedAt,
        QueueWait = AdmittedAt - StartedAt,
        TimeToFirstToken = FirstTokenAt - StartedAt,
        EndToEnd = now - StartedAt,
        InputTokens = Trace.InputTokens,
        OutputTokens = Trace.OutputTokens,
        CachedTokens = CachedTokens,
        EstimatedOutputTokens = Estimate.OutputTokens,
        ClientId = Trace.ClientId,
        SessionId = Trace.SessionId,
        Priority = Trace.Priority,
        TimeToFirstTokenSlo = Trace.TimeToFirstTokenSlo,
    };

    /// <summary>What its gateway learns from, once it has its whole answer.</summary>
    /// <param name="model">The name under which its length is learned.</param>
    /// <param name="now">When that is.</param>
    public CompletedRequest ToCompleted(string model, TimeSpan now) => new()
    {
        Request = Request,
        Route = Request.Route,
        RequestId = Request.Id,
        Model = model,
        ReplicaId = Reservation!.Replica.Id,
        Estimate = Estimate,
        Outcome = RequestOutcome.Success,
        StatusCode = 200,
        Duration = now - StartedAt,
        QueueWait = AdmittedAt - StartedAt,
        TimeToFirstToken = FirstTokenAt - StartedAt,
        StreamDuration = now - FirstTokenAt,
        Usage = new TokenUsage(Trace.InputTokens, Trace.OutputTokens, CachedTokens, null),
        OutputTokens = Trace.OutputTokens,
        PrefixHitTokens = PrefixHitTokens,
        IsCensored = Trace.MaxOutputTokens is { } limit && Trace.OutputTokens >= limit,
    };

    private void Settle(in ServedTokens charged, in ServedTokens served) => Gateway.Pool.Dispatcher.Settle(Request, charged, served);
}
