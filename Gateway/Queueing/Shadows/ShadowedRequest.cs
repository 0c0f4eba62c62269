using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing.Shadows;

/// <summary>One request as a <see cref="Shadow"/> sees it. Disposed when it has ended; until then its worlds do not go beyond it.</summary>
public sealed class ShadowedRequest : IDisposable
{
    private readonly Shadow _shadow;

    internal ShadowedRequest(Shadow shadow, InferenceRequest request, in RequestEstimate estimate, TimeSpan at) =>
        (_shadow, Request, Estimate, At) = (shadow, request, estimate, at);

    /// <summary>Tokens of the whole answer, over all sequences; null: it did not come to its end, and its length is drawn.</summary>
    public int? OutputTokens { get; set; }

    /// <summary>Its room, once it has one: it tells how far the answer is.</summary>
    public LoadReservation? Reservation { get; set; }

    /// <summary>Tokens of each sequence so far.</summary>
    internal int GeneratedTokens => (int)((Reservation?.GeneratedTokens ?? 0) / Estimate.Sequences);

    internal InferenceRequest Request { get; }

    internal RequestEstimate Estimate { get; }

    internal TimeSpan At { get; }

    internal bool HasEnded { get; set; }

    public void Dispose() => _shadow.OnEnded(this);
}
