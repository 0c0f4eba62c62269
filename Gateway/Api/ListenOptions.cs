using System.ComponentModel.DataAnnotations;

namespace Gateway.Api;

/// <summary>Where the gateway listens, and what it takes from one client. Needs a restart.</summary>
public sealed record ListenOptions
{
    /// <summary>Addresses as Kestrel reads them: <c>http://HOST:PORT</c>, where HOST may be an address, <c>*</c> or <c>localhost</c>. At least one.</summary>
    public IReadOnlyList<string> Urls { get; init; } = ["http://127.0.0.1:8080"];

    /// <summary>Largest request body in bytes; a larger one is refused with 413.</summary>
    [Range(1_024L, 4_294_967_296L)]
    public long MaxBodyBytes { get; init; } = 64L << 20;

    /// <summary>Connections open at the same time; more are closed on arrival.</summary>
    [Range(1, 10_000_000)]
    public int MaxConnections { get; init; } = 20_000;

    /// <summary>How long running answers may go on after a stop was asked for.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Origins that browsers may call from, or <c>*</c>. Empty: no CORS answers at all.</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = [];
}
