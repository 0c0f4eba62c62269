using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Gateway.Telemetry;

/// <summary>Answers <c>GET /metrics</c>.</summary>
public static class MetricsPage
{
    private const string Text = "text/plain; version=0.0.4; charset=utf-8";
    private const string OpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// <summary>Writes the page in the form that the scraper's <c>Accept</c> header prefers; 503 where nothing could be collected.</summary>
    public static async Task WriteAsync(HttpContext http, PrometheusPage page)
    {
        var format = FormatOf(http.Request.Headers.Accept);
        if (await page.CollectAsync(format, http.RequestAborted) is not { } text)
        {
            http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }
        http.Response.ContentType = format == PrometheusFormat.OpenMetrics ? OpenMetrics : Text;
        http.Response.ContentLength = text.Length;
        http.Response.Headers.Vary = HeaderNames.Accept;
        await http.Response.Body.WriteAsync(text, http.RequestAborted);
    }

    /// <summary>The preferred form; plain text where the header is absent, unreadable, or leaves the choice.</summary>
    internal static PrometheusFormat FormatOf(IList<string?> accept)
    {
        if (!MediaTypeHeaderValue.TryParseList([.. accept.OfType<string>()], out var types))
        {
            return PrometheusFormat.Text;
        }
        double openMetrics = 0, text = 0;
        foreach (var type in types)
        {
            var quality = type.Quality ?? 1;
            if (type.MediaType.Equals("application/openmetrics-text", StringComparison.OrdinalIgnoreCase))
            {
                openMetrics = Math.Max(openMetrics, quality);
            }
            else if (type.MediaType.Equals("text/plain", StringComparison.OrdinalIgnoreCase))
            {
                text = Math.Max(text, quality);
            }
        }
        return openMetrics > 0 && openMetrics >= text ? PrometheusFormat.OpenMetrics : PrometheusFormat.Text;
    }
}
