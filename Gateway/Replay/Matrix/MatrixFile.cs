using System.ComponentModel.DataAnnotations;
using Gateway.Simulation;

namespace Gateway.Replay.Matrix;

/// <summary>Every workload at every load in front of every fleet under every policy, to find where one policy is not the best.</summary>
public sealed record MatrixFile
{
    /// <summary>Most seeds.</summary>
    public const int MostSeeds = 100;

    /// <summary>The policy that is to lose nowhere.</summary>
    public string Reference { get; init; } = "default";

    /// <summary>What the reference is compared with, at least one.</summary>
    [Required]
    public IReadOnlyList<string> Baselines { get; init; } = [];

    /// <summary>The policy under which a workload's capacity is found: the same for all, so that a load means the same to each.</summary>
    public string CapacityBy { get; init; } = "lmetric/fcfs/past_future/mean";

    /// <summary>Arrivals as a share of the fleet's capacity for the workload.</summary>
    public IReadOnlyList<double> Loads { get; init; } = [0.7, 0.95, 1.3];

    /// <summary>Engines of each fleet.</summary>
    public IReadOnlyList<int> Replicas { get; init; } = [4, 16];

    /// <summary>Decides every draw.</summary>
    [Range(0, int.MaxValue)]
    public int Seed { get; init; } = 1;

    /// <summary>How often everything is run, each time under the next seed; figures are the means.</summary>
    [Range(1, MostSeeds)]
    public int Seeds { get; init; } = 1;

    /// <summary>At least one.</summary>
    [Required]
    public IReadOnlyList<MatrixWorkload> Workloads { get; init; } = [];
}

/// <summary>One workload and the engine that fits it.</summary>
public sealed record MatrixWorkload
{
    /// <summary>Told in the table, so short.</summary>
    [Required]
    public string Name { get; init; } = "";

    /// <summary>A generator with its parameters, a trace file, or <c>data:FILE</c>; a data file that is absent is skipped and told.</summary>
    [Required]
    public string Trace { get; init; } = "";

    /// <summary>When requests come where the file does not say: only its shape counts, the rate follows from the load.</summary>
    public string Arrivals { get; init; } = "poisson:rate=1";

    /// <summary>A shipped profile, or a YAML file beside the matrix.</summary>
    public string Profile { get; init; } = EngineProfiles.Rtx4090Llama8B.Name;

    /// <summary>Requests at most.</summary>
    [Range(1, 10_000_000)]
    public int Limit { get; init; } = 4_000;
}
