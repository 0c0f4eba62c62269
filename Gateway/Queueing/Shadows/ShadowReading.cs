namespace Gateway.Queueing.Shadows;

/// <summary>The verdict on the policy in force: forecasts of both policies, each with the consequences of its own choices, over the same requests.</summary>
public sealed record ShadowReading
{
    /// <summary>The other policy: routing, order and admission with slashes between.</summary>
    public required string Policy { get; init; }

    /// <summary>Requests that ended under both.</summary>
    public long Answers { get; init; }

    /// <summary>Mean seconds by which answers would have ended earlier under the shadow, over the last thousand or so; negative: later.</summary>
    public double RegretSeconds { get; init; }

    /// <summary>Mean forecast of an answer under the policy in force, arrival to last token, over the same: how far it is from what is measured tells how far to trust the rest.</summary>
    public double ActingSeconds { get; init; }

    /// <summary>The regret of the first token.</summary>
    public double FirstTokenRegretSeconds { get; init; }

    /// <summary>The mean of <see cref="RegretSeconds"/> over all answers.</summary>
    internal double WholeRegretSeconds { get; init; }

    /// <summary>Requests that one of the two policies would have refused and the other not; positive: more under the policy in force.</summary>
    public long RefusalRegret { get; init; }

    /// <summary>Placements that the shadow was asked about.</summary>
    public long Decisions { get; init; }

    /// <summary>Those where it would have taken another replica, as things stood.</summary>
    public long Differing { get; init; }

    /// <summary>Share of placements where it would have taken another replica; 0 while there were none.</summary>
    public double DifferingShare => Decisions == 0 ? 0 : (double)Differing / Decisions;
}
