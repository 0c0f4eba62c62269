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

    /// <summary>How long requests are still taken after a stop was asked for, while <c>/readyz</c> says that it is one: until a balancer in front has noticed.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan StopDelay { get; init; } = TimeSpan.Zero;

    /// <summary>How long running answers may go on once no more requests are taken.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Bytes of memory that request bodies may hold together, those of one tenant no more than they leave free; a body that finds no room is refused with 503.</summary>
    [Range(1_048_576L, 1_099_511_627_776L)]
    public long MaxBufferedBytes { get; init; } = 2L << 30;

    /// <summary>Longest request line and headers, in bytes.</summary>
    [Range(1_024, 1_048_576)]
    public int MaxHeaderBytes { get; init; } = 32 << 10;

    /// <summary>Longest time a client may take for its headers.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan HeadersTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Bytes per second that an upload must keep up on average; 0: any pace.</summary>
    [Range(0, 1_000_000_000)]
    public int MinUploadBytesPerSecond { get; init; } = 240;

    /// <summary>Bytes per second that a client must take of what waits for it; 0: any pace.</summary>
    [Range(0, 1_000_000_000)]
    public int MinDownloadBytesPerSecond { get; init; } = 1_000;

    /// <summary>How long a client may stay below these rates before its connection is cut.</summary>
    [Range(typeof(TimeSpan), "00:00:02", "01:00:00")]
    public TimeSpan SlowClientGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>An address of its own for the ops endpoints, which are then nowhere else; null: with the others.</summary>
    public string? Ops { get; init; }

    /// <summary>The certificate for addresses with https; null: there are none.</summary>
    public TlsOptions? Tls { get; init; }

    /// <summary>Origins that browsers may call from, or <c>*</c>. Empty: no CORS answers at all.</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = [];
}

/// <summary>Files of the certificate, in PEM. Their contents are followed; which files they are needs a restart.</summary>
public sealed record TlsOptions
{
    /// <summary>The certificate, with the intermediate ones behind it.</summary>
    [Required]
    public string Certificate { get; init; } = "";

    /// <summary>Its private key, not encrypted.</summary>
    [Required]
    public string Key { get; init; } = "";

    /// <summary>The authorities one of which must have signed a client's certificate; null: clients need none.</summary>
    public string? ClientCa { get; init; }

    /// <summary>All files that are named.</summary>
    internal IReadOnlyList<string> Files => ClientCa is null ? [Certificate, Key] : [Certificate, Key, ClientCa];
}
