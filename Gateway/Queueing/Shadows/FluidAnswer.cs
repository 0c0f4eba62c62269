using Gateway.Replicas;

namespace Gateway.Queueing.Shadows;

/// <summary>One answer in a <see cref="FluidEngine"/>. Written by its engine and its world.</summary>
/// <param name="number">Which request it is, the same in every world.</param>
/// <param name="enteredAt">When the request came.</param>
/// <param name="promptTokens">Tokens of the prompt.</param>
/// <param name="outputTokens">Tokens of each sequence, at least 1.</param>
/// <param name="sequences">Answers generated in parallel, at least 1.</param>
internal sealed class FluidAnswer(long number, TimeSpan enteredAt, int promptTokens, int outputTokens, int sequences)
{
    public long Number { get; } = number;

    public TimeSpan EnteredAt { get; } = enteredAt;

    public int PromptTokens { get; } = promptTokens;

    public int OutputTokens { get; } = outputTokens;

    public int Sequences { get; } = sequences;

    /// <summary>Its room in the world's ledger.</summary>
    public LoadReservation? Reservation { get; set; }

    public int CachedTokens { get; set; }

    /// <summary>Prompt tokens that it alone holds: others in flight hold the rest.</summary>
    public double OwnPromptTokens { get; set; }

    /// <summary>Tokens still to be computed before it decodes.</summary>
    public double PrefillLeft { get; set; }

    /// <summary>Tokens of each sequence so far; while it decodes, as of <see cref="JoinedAt"/>.</summary>
    public double Generated { get; set; }

    /// <summary>Reading of the engine's token clock when it began to decode; null: it does not.</summary>
    public double? JoinedAt { get; set; }

    public TimeSpan? FirstTokenAt { get; set; }

    /// <summary>Tokens of each sequence that its ledger knows of.</summary>
    public int ToldTokens { get; set; }
}
