using Gateway.Simulation;

namespace Gateway.Replay.Calibration;

/// <summary>One fitted constant.</summary>
/// <param name="Name">The profile's key, such as <c>decodePerSequence</c>.</param>
/// <param name="Value">In the profile's unit: milliseconds, but for factors.</param>
/// <param name="Deviation">Standard error of <paramref name="Value"/>; null where it was kept, NaN where too few spans tell.</param>
/// <param name="IsKept">Whether the data could not tell it apart, so that the base profile's value stands.</param>
public sealed record FittedPiece(string Name, double Value, double? Deviation, bool IsKept);

/// <summary>How well the fit predicts the spans it was made from.</summary>
/// <param name="Kind">Of which spans; null: of all.</param>
/// <param name="Count">How many.</param>
/// <param name="MedianError">Median of the relative errors, a share.</param>
/// <param name="P90Error">Their 90th percentile.</param>
/// <param name="R2">Explained share of the variance; NaN where all spans are equally long.</param>
public sealed record FitQuality(ObservationKind? Kind, int Count, double MedianError, double P90Error, double R2);

/// <summary>A profile fitted to measured spans, and what is to be thought of it. Immutable.</summary>
public sealed record ProfileFit
{
    public required EngineProfile Profile { get; init; }

    /// <summary>The profile that lent what could not be told.</summary>
    public required string BaseProfile { get; init; }

    /// <summary>Each fitted constant, in the order of the profile.</summary>
    public required IReadOnlyList<FittedPiece> Pieces { get; init; }

    /// <summary>Milliseconds of a request outside the steps: network, HTTP, tokenizer. Not part of a profile; null where unknown.</summary>
    public double? RequestMilliseconds { get; init; }

    /// <summary>One row per kind of span, then one over all.</summary>
    public required IReadOnlyList<FitQuality> Quality { get; init; }

    /// <summary>Spans that stood so far from the others that they were left out.</summary>
    public int Outliers { get; init; }
}
