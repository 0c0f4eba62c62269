using Gateway.Telemetry;

namespace Gateway.Configuration;

/// <summary>OpenTelemetry's own variables, as far as its library passes over a mistake in them without a word, or ends the process by it.</summary>
internal static class CollectorRules
{
    private static readonly string[] Signals = ["", "TRACES_", "METRICS_"];

    public static void Check(IReadOnlyDictionary<string, string> environment, ProblemList problems)
    {
        if (!TelemetrySession.IsWanted(environment.GetValueOrDefault, "TRACES") && !TelemetrySession.IsWanted(environment.GetValueOrDefault, "METRICS"))
        {
            return;
        }

        foreach (var signal in Signals)
        {
            var (endpoint, headers) = ($"OTEL_EXPORTER_OTLP_{signal}ENDPOINT", $"OTEL_EXPORTER_OTLP_{signal}HEADERS");
            if (environment.GetValueOrDefault(endpoint) is { Length: > 0 } address && !IsAddress(address))
            {
                problems.Warn(SourceSpot.Of(endpoint), "", "is no http or https address, so that nothing reaches the collector. Write it like http://collector:4317.");
            }

            // The values are not shown: some are keys.
            if (environment.GetValueOrDefault(headers) is { Length: > 0 } list && !IsHeaders(list))
            {
                problems.Add(SourceSpot.Of(headers), "", "is no list of headers. Write it like name=value,other=value.");
            }
        }
    }

    private static bool IsAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var address) && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps);

    // A comma at the end is allowed.
    private static bool IsHeaders(string list) =>
        (list.EndsWith(',') ? list[..^1] : list).Split(',').All(header => header.IndexOf('=', StringComparison.Ordinal) > 0);
}
