namespace Gateway.Queueing.Shadows;

/// <summary>What a shadow would do with a request that comes now.</summary>
/// <param name="Replica">Where it would go; null: nowhere.</param>
/// <param name="Ahead">Requests that would go before it.</param>
/// <param name="AnswerSeconds">Forecast of its wait and its answer there; null: unknown.</param>
public readonly record struct ShadowStanding(string? Replica, int Ahead, double? AnswerSeconds);

/// <summary>What a request meets under both policies.</summary>
/// <param name="Acting">Under the policy in force.</param>
/// <param name="Shadow">Under the other.</param>
public readonly record struct ShadowView(ShadowStanding Acting, ShadowStanding Shadow)
{
    /// <summary>Seconds that the request would end earlier under the shadow; negative: later. Null: unknown.</summary>
    public double? RegretSeconds => Acting.AnswerSeconds - Shadow.AnswerSeconds;
}

/// <summary>The verdict on the policy in force: forecasts of both policies, each with the consequences of its own choices, over the same requests.</summary>
public sealed record ShadowReading
{
    /// <summary>The other policy: routing, order and admission with slashes between.</summary>
    public required string Policy { get; init; }

    /// <summary>Requests that ended under both.</summary>
    public long Answers { get; init; }

    /// <summary>Mean seconds by which answers would have ended earlier under the shadow, over the last thousand or so; negative: later.</summary>
    public double RegretSeconds { get; init; }

    /// <summary>The same of the first token.</summary>
    public double FirstTokenRegretSeconds { get; init; }

    /// <summary>The mean of <see cref="RegretSeconds"/> over all answers.</summary>
    public double WholeRegretSeconds { get; init; }

    /// <summary>Requests that one of the two policies would have refused and the other not; positive: more under the policy in force.</summary>
    public long RefusalRegret { get; init; }

    /// <summary>Placements that the shadow was asked about.</summary>
    public long Decisions { get; init; }

    /// <summary>Those where it would have taken another replica, as things stood.</summary>
    public long Differing { get; init; }

    /// <summary>Share of placements where it would have taken another replica; 0 while there were none.</summary>
    public double DifferingShare => Decisions == 0 ? 0 : (double)Differing / Decisions;
}
