using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Logging;

namespace Gateway.Telemetry;

/// <summary>What the gateway tells about itself. Takes effect on reload, but for <see cref="AccessLog"/> and <see cref="LogLevel"/>, which need a restart.</summary>
public sealed record TelemetryOptions
{
    /// <summary>Whether answers carry <c>x-gateway-replica</c>.</summary>
    public bool ReplicaHeader { get; init; } = true;

    /// <summary><c>off</c>, <c>stdout</c>, or the path of a file that one JSON line per request is appended to.</summary>
    public string AccessLog { get; init; } = "stdout";

    /// <summary>Share of successful requests that the access log takes; whatever failed, was refused or canceled is always written.</summary>
    [Range(0.0, 1.0)]
    public double AccessLogSample { get; init; } = 1;

    /// <summary>Least severe level that is logged.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>How tenants appear in the access log and as a label of requests and tokens.</summary>
    public TenantNaming Tenants { get; init; } = TenantNaming.Off;

    /// <summary>Whether the OpenTelemetry metrics for generative AI clients (<c>gen_ai.client.*</c>) are kept.</summary>
    public bool GenAiMetrics { get; init; } = true;
}

/// <summary>How a tenant appears in logs and metrics.</summary>
public enum TenantNaming
{
    /// <summary>Not at all.</summary>
    Off,

    /// <summary>By a keyed hash of its name: new at each start, unless <c>redis</c> or a snapshot keeps the key.</summary>
    Hash,

    /// <summary>By its name in the configuration.</summary>
    Name,
}
