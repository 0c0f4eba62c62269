using System.ComponentModel.DataAnnotations;

namespace Gateway.Forwarding;

/// <summary>Second attempts beside a first one that is slow to begin. Takes effect on reload.</summary>
public sealed record HedgeOptions
{
    /// <summary>Such attempts as a share of the pool's requests; 0: none.</summary>
    [Range(0.0, 0.5)]
    public double Share { get; init; }

    /// <summary>How many times the predicted time to the first token must have passed.</summary>
    [Range(1.0, 100.0)]
    public double Slowness { get; init; } = 4;

    /// <summary>Shortest wait before a second attempt.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan LeastWait { get; init; } = TimeSpan.FromMilliseconds(500);
}
