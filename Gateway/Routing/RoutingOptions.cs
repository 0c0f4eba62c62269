using System.ComponentModel.DataAnnotations;

namespace Gateway.Routing;

/// <summary>How a replica is chosen. Takes effect on reload.</summary>
public sealed record RoutingOptions
{
    /// <summary>Name of the ready-made way to choose.</summary>
    public string Policy { get; init; } = RoutingPolicies.Default;

    /// <summary>A mix of one's own; it takes the place of <see cref="Policy"/> unless it is empty.</summary>
    public IReadOnlyList<ScorerOptions> Scorers { get; init; } = [];

    /// <summary>What chooses: the policy, or <c>scorers</c> where a mix takes its place.</summary>
    internal string PolicyName => Scorers.Count > 0 ? "scorers" : Policy;

    /// <summary>What is remembered about prompts' beginnings.</summary>
    public PrefixOptions Prefix { get; init; } = new();

    /// <summary>A second policy that only says what it would do.</summary>
    public ShadowOptions Shadow { get; init; } = new();

    /// <summary>How long a session keeps its replica after its last request.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan SessionTtl { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>A session whose last answer called a tool keeps its replica until this share of that tool's calls would be back, as learned. Zero: for <see cref="SessionTtl"/>, like the others.</summary>
    [Range(0.0, 0.999)]
    public double ToolReturnShare { get; init; } = 0.99;

    /// <summary>Longest wait for a full replica that holds the prompt's beginning, never longer than going there saves, nor than half of the time left until it would be refused. Zero: nobody waits for it. Policy <c>least_delay</c> only.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan FavouriteWait { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a replica that came up or recovered counts as more loaded than it is, from ten times down to once. Zero: it gets its share at once. Policy <c>least_delay</c> only.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan SlowStart { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A session leaves its replica when that one's outstanding work exceeds the least by more than this; with the policy <c>least_work</c> a prefix stops drawing then, too.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan OverloadSeconds { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Seed of the draws among equals, so that a run can be repeated. Needs a restart.</summary>
    [Range(0, int.MaxValue)]
    public int Seed { get; init; } = 1;
}

/// <summary>A second policy beside the one that acts. It is on when any part is named; parts that are not are those in force.</summary>
public sealed record ShadowOptions
{
    /// <summary>Its way to choose a replica; null: the one in force.</summary>
    public string? Policy { get; init; }

    /// <summary>Its order of waiting requests; null: the one in force.</summary>
    public string? Order { get; init; }

    /// <summary>Its rule by which a replica takes one more; null: the one in force.</summary>
    public string? Admission { get; init; }

    /// <summary>Whether there is a second policy at all.</summary>
    internal bool IsOn => Policy is not null || Order is not null || Admission is not null;
}

/// <summary>One scorer of a mix and how much it counts.</summary>
public sealed record ScorerOptions
{
    /// <summary>Name of the scorer.</summary>
    [Required]
    public string Name { get; init; } = "";

    /// <summary>Factor on the scorer's cost in seconds; 0 switches it off.</summary>
    [Range(0.0, 1_000.0)]
    public double Weight { get; init; } = 1;
}

/// <summary>The index of which replica saw which prompt beginning. Bounded; the least recently used goes first.</summary>
public sealed record PrefixOptions
{
    /// <summary>Whether prefixes draw requests to the replica that computed them.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Bytes of prompt per hashed block, a multiple of 16: smaller finds shorter shared beginnings and costs more memory.</summary>
    [Range(16, 1_024)]
    public int BlockBytes { get; init; } = 256;

    /// <summary>Memory for the index in bytes.</summary>
    [Range(1_048_576L, 68_719_476_736L)]
    public long MaxBytes { get; init; } = 256L << 20;

    /// <summary>How long a block is believed to be in a replica's cache after it was last seen.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan Ttl { get; init; } = TimeSpan.FromMinutes(30);
}
