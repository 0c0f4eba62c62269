using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Queueing.Shadows;
using Gateway.Replay.Traces;
using Gateway.Replicas;
using Gateway.Requests;

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
}
