using Gateway.Estimation;
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

    public LoadReservation? Reservation { get; set; }

    /// <summary>As a second policy sees it; null: there is none.</summary>
    public ShadowedRequest? Shadowed { get; set; }

    public TimeSpan AdmittedAt { get; set; }

    public TimeSpan FirstTokenAt { get; set; }

    public int ReplicaIndex { get; set; }

    public int CachedTokens { get; set; }

    public int PrefixHitTokens { get; set; }

    public TimeSpan PrefixHitAge { get; set; }
}
