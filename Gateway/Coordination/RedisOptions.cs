using System.ComponentModel.DataAnnotations;

namespace Gateway.Coordination;

/// <summary>The Redis by which several gateways share state. Absent: each is alone. Needs a restart.</summary>
public sealed record RedisOptions
{
    /// <summary>Where it listens, as <c>host:port</c>; several of one cluster, or of one primary and its replicas.</summary>
    [Required]
    public IReadOnlyList<string> Servers { get; init; } = [];

    /// <summary>The environment variable with the password; null: none is asked for.</summary>
    public string? PasswordEnv { get; init; }

    /// <summary>Whether to speak TLS.</summary>
    public bool Tls { get; init; }

    /// <summary>A PEM file with the authorities that may have signed the servers' certificates; null: the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>The beginning of every key: gateways with the same one share.</summary>
    public string KeyPrefix { get; init; } = "gateway";

    /// <summary>The environment variable with the secret by which prompts are hashed: the same in every gateway. Null: the password serves.</summary>
    public string? SecretEnv { get; init; }

    /// <summary>Time between two exchanges; loads are exchanged five times as often.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a gateway's load counts that is not heard of any more.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "00:10:00")]
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Longest wait for an exchange's answer, and for a connection.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait of a request for the check of its tenant's limits; then this gateway's own view decides.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:01")]
    public TimeSpan LimitDeadline { get; init; } = TimeSpan.FromMilliseconds(5);

    /// <summary>Blocks of a prompt, of <c>routing.prefix.blockBytes</c> each, that others are told of.</summary>
    [Range(0, 65_536)]
    public int HintBlocks { get; init; } = 512;
}
