using System.ComponentModel.DataAnnotations;
using Gateway.Replay.Reports;
using Gateway.Simulation;

namespace Gateway.Replay.Scenarios;

/// <summary>What one published system claims, as experiments that can be run again.</summary>
public sealed record ScenarioFile
{
    /// <summary>The system, as its authors call it.</summary>
    [Required]
    public string System { get; init; } = "";

    /// <summary>Where the claim is published.</summary>
    [Required]
    public string Source { get; init; } = "";

    /// <summary>At least one.</summary>
    [Required]
    public IReadOnlyList<ScenarioExperiment> Experiments { get; init; } = [];
}

/// <summary>Two policies on the same arrivals in front of the same fleet.</summary>
public sealed record ScenarioExperiment
{
    /// <summary>Told in the table, so short.</summary>
    [Required]
    public string Name { get; init; } = "";

    /// <summary>A generator with its parameters, a trace file, or <c>data:</c> and a file of the data folder, without which the experiment is skipped.</summary>
    [Required]
    public string Workload { get; init; } = "";

    /// <summary>Makes the same requests come so many times as fast.</summary>
    [Range(0.001, 1_000.0)]
    public double Rate { get; init; } = 1;

    /// <summary>Rows of a file that each seed runs, beginning where the seed before it ended; null: every seed runs the whole file.</summary>
    [Range(1, 1_000_000)]
    public int? Requests { get; init; }

    /// <summary>A client of the workload that sends more than it did; null: none.</summary>
    public ScenarioFlood? Flood { get; init; }

    /// <summary>The gateway sees one class, whatever the workload says: for orders that are to do without.</summary>
    public bool IgnorePriorities { get; init; }

    public ScenarioFleet Fleet { get; init; } = new();

    public ScenarioSlo Slo { get; init; } = new();

    /// <summary>The policy that the claim is measured against.</summary>
    [Required]
    public string Baseline { get; init; } = "";

    /// <summary>The policy of the claim.</summary>
    [Required]
    public string Policy { get; init; } = "";

    /// <summary>What claims that <c>recover</c> a share are measured up to: the policy that knows the truth. Null: no such claim.</summary>
    public string? Best { get; init; }

    /// <summary>One paired run of both policies for each: five at least, since the sign of a difference must hold in all of them.</summary>
    public IReadOnlyList<int> Seeds { get; init; } = [1, 2, 3, 4, 5];

    /// <summary>At least one.</summary>
    [Required]
    public IReadOnlyList<ScenarioClaim> Claims { get; init; } = [];
}

/// <summary>One client, or several, that send each of their requests several times.</summary>
public sealed record ScenarioFlood
{
    [Required]
    public string Client { get; init; } = "";

    /// <summary>Further clients that do the same.</summary>
    public IReadOnlyList<string> With { get; init; } = [];

    /// <summary>How many times their own rate.</summary>
    [Range(2, 1_000)]
    public int Times { get; init; } = 10;

    /// <summary>How often the workload is played before, without the flood and without being measured, under the baseline too.</summary>
    [Range(0, 100)]
    public int LeadIn { get; init; }

    /// <summary>Whether they do so under the baseline too; false: the baseline's run is what everybody sees without the flood.</summary>
    public bool InBaseline { get; init; } = true;
}

/// <summary>The engines of an experiment.</summary>
public sealed record ScenarioFleet
{
    /// <summary>What each engine is.</summary>
    public string Profile { get; init; } = EngineProfiles.Rtx4090Llama8B.Name;

    [Range(1, 4_096)]
    public int Replicas { get; init; } = 1;

    /// <summary>KV room of each engine in tokens, where it is to differ from the profile's.</summary>
    [Range(1_024, 1_000_000_000)]
    public int? KvTokens { get; init; }

    /// <summary>Speed of each engine relative to the profile; those beyond the list run at 1.</summary>
    public IReadOnlyList<double> Speeds { get; init; } = [];
}

/// <summary>What a good answer keeps to; needed by the figures of goodput.</summary>
public sealed record ScenarioSlo
{
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan? Ttft { get; init; }

    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan? Tpot { get; init; }

    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan? E2e { get; init; }

    internal SloLimits Limits => new(Ttft, Tpot, E2e);
}

/// <summary>Which way a figure moves under the policy, and by how much it did where it was published.</summary>
public sealed record ScenarioClaim
{
    /// <summary>A name of <see cref="ScenarioMetrics"/>.</summary>
    [Required]
    public string Metric { get; init; } = "";

    public ClaimDirection Expect { get; init; }

    /// <summary>With <c>recovers</c>: the least share of what the best policy gains over the baseline.</summary>
    [Range(0.01, 1.0)]
    public double? Share { get; init; }

    /// <summary>With <c>within</c>: the largest ratio of the policy's figure to the baseline's.</summary>
    [Range(0.01, 1_000.0)]
    public double? Most { get; init; }

    /// <summary>The policy's figure over the baseline's in the source, such as 0.48 or 0.61-0.69; null: only the direction is published, or known here.</summary>
    public string? Published { get; init; }
}

/// <summary>Which way a figure is said to move.</summary>
public enum ClaimDirection
{
    Lower,
    Higher,

    /// <summary>Within two per cent.</summary>
    Same,

    /// <summary>Gains at least a share of what the best policy gains.</summary>
    Recovers,

    /// <summary>Is at most so many times the baseline's.</summary>
    Within,
}
