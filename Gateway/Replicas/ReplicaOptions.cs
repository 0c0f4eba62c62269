using System.ComponentModel.DataAnnotations;

namespace Gateway.Replicas;

/// <summary>One engine, or one name behind which there are several. Exactly one of <see cref="Url"/> and <see cref="Dns"/> is set once loaded.</summary>
public sealed record ReplicaOptions
{
    /// <summary>Base address, absolute http or https, with an optional path prefix; no query, no user info. A <c>/v1</c> at its end, as OpenAI's clients write it, is left out: the routes bring their own.</summary>
    public Uri? Url
    {
        get;
        init => field = WithoutVersion(value);
    }

    /// <summary><c>http://name:port</c>: every address the name resolves to is a replica of its own. Behind https the name stays one replica: its certificate is issued for the name.</summary>
    public Uri? Dns
    {
        get;
        init => field = WithoutVersion(value);
    }

    /// <summary>Name in headers, metric labels and ops paths; <c>host:port</c> unless given. Equal ids in two models mean the same engine.</summary>
    public string Id
    {
        get => field ?? ((Url ?? Dns) is { } address ? $"{address.Host}:{address.Port}" : "");
        init;
    }

    /// <summary>Which model server runs here; null: as the model says.</summary>
    public EngineKind? Engine { get; init; }

    /// <summary>Requests the engine runs at once; null: reported by the engine, or learned.</summary>
    [Range(1, 100_000)]
    public int? Slots { get; init; }

    /// <summary>KV cache room in tokens; null: reported by the engine, or learned.</summary>
    [Range(1L, 1_000_000_000_000L)]
    public long? KvTokens { get; init; }

    /// <summary>Speed relative to the other replicas of the pool; a replica of weight 2 is given twice the work.</summary>
    [Range(0.001, 1_000.0)]
    public double Weight { get; init; } = 1;

    /// <summary>Free words about the replica, such as its zone.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    private static Uri? WithoutVersion(Uri? address)
    {
        if (address is not { IsAbsoluteUri: true } || address.AbsolutePath.TrimEnd('/') is not { } path || !path.EndsWith("/v1", StringComparison.Ordinal))
        {
            return address;
        }
        return new UriBuilder(address) { Path = path[..^"/v1".Length] }.Uri;
    }
}
