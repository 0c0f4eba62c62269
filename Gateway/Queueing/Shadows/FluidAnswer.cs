using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing.Shadows;

/// <summary>One answer in a <see cref="FluidEngine"/>. Written by its engine and its world.</summary>
/// <param name="number">Which request it is, the same in every world.</param>
/// <param name="request">The request.</param>
/// <param name="estimate">What it was expected to cost.</param>
/// <param name="enteredAt">When it came.</param>
/// <param name="outputTokens">Tokens of each sequence, at least 1.</param>
internal sealed class FluidAnswer(long number, InferenceRequest request, RequestEstimate estimate, TimeSpan enteredAt, int outputTokens)
{
    public long Number { get; } = number;

    public TimeSpan EnteredAt { get; } = enteredAt;

    public InferenceRequest Request { get; } = request;

    public int PromptTokens { get; } = estimate.PromptTokens;

    public int OutputTokens { get; } = outputTokens;

    public int Sequences { get; } = estimate.Sequences;

    /// <summary>Its room in the world's ledger.</summary>
    public LoadReservation? Reservation { get; set; }

    /// <summary>What the world's order charged in advance.</summary>
    public ServedTokens Charged { get; set; }

    public int CachedTokens { get; set; }

    /// <summary>Prompt tokens that it alone holds: others in flight hold the rest.</summary>
    public double OwnPromptTokens { get; set; }

    /// <summary>Tokens still to be computed before it decodes.</summary>
    public double PrefillLeft { get; set; }

    /// <summary>Tokens of each sequence so far; while it decodes, as of <see cref="JoinedAt"/>.</summary>
    public double Generated { get; set; }

    /// <summary>Reading of the engine's token clock when it began to decode; null: it does not.</summary>
    public double? JoinedAt { get; set; }

    /// <summary>Tokens by which the engine's answers had grown when it lost its room; null: it never did.</summary>
    public double? PreemptedAt { get; set; }

    public TimeSpan? FirstTokenAt { get; set; }

    /// <summary>Tokens of each sequence that its ledger knows of.</summary>
    public int ToldTokens { get; set; }
}
