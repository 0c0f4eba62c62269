using System.Globalization;
using System.Text;
using Gateway.Telemetry;
using Gateway.Tests.Configuration;

namespace Gateway.Tests.Telemetry;

/// <summary>The table of metrics in the room's README: generated from the names, and kept true.</summary>
public sealed class MetricTableTests
{
    private const string Begin = "<!-- generated from MetricNames and GenAiNames -->\n";
    private const string End = "<!-- end -->\n";

    private static readonly string Readme = Path.Combine(Loading.Root(), "Gateway", "Telemetry", "README.md");

    [Fact]
    public async Task Readme_OfTheRoom_ListsEveryMetricAsItIs()
    {
        var text = await File.ReadAllTextAsync(Readme);
        var (begin, end) = (text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length, text.IndexOf(End, StringComparison.Ordinal));
        var table = Table();
        if (Environment.GetEnvironmentVariable("GATEWAY_WRITE_DOCS") == "1")
        {
            await File.WriteAllTextAsync(Readme, text[..begin] + table + text[end..]);
            return;
        }

        Assert.Equal(table, text[begin..end]);
    }

    private static string Table()
    {
        var table = new StringBuilder("| name | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
        foreach (var metric in MetricNames.All.Concat(GenAiNames.All))
        {
            var labels = string.Join(", ", metric.Labels.Select(label => $"`{PrometheusName.OfLabel(label)}`"));
            var unit = metric.Unit switch { "s" => "seconds", "1" => "share", "" => "0 or 1", "{retry}" => "retries", _ => metric.Unit.Trim('{', '}') + "s" };
            table.Append(CultureInfo.InvariantCulture, $"| `{metric.PrometheusName}` | {metric.Kind.ToString().ToLowerInvariant()} | {unit} | {labels} | {metric.Help} |\n");
        }
        return table.ToString();
    }
}
