using Microsoft.Extensions.Logging;

namespace Gateway.Telemetry;

/// <summary>What the gateway tells about itself. Takes effect on reload, but for <see cref="AccessLog"/> and <see cref="LogLevel"/>, which need a restart.</summary>
public sealed record TelemetryOptions
{
    /// <summary>Whether answers carry <c>x-gateway-replica</c>.</summary>
    public bool ReplicaHeader { get; init; } = true;

    /// <summary><c>off</c>, <c>stdout</c>, or the path of a file that one JSON line per request is appended to.</summary>
    public string AccessLog { get; init; } = "stdout";

    /// <summary>Least severe level that is logged.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Whether the OpenTelemetry metrics for generative AI clients (<c>gen_ai.client.*</c>) are kept.</summary>
    public bool GenAiMetrics { get; init; } = true;
}
