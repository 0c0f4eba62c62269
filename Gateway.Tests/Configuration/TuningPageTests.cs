using System.CommandLine;
using System.Text.RegularExpressions;
using Gateway.Cli;
using Gateway.Configuration;
using Gateway.Telemetry;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

/// <summary>config/TUNING.md: its commands run, and its keys, metrics and places exist.</summary>
public sealed partial class TuningPageTests
{
    private static readonly string Text = File.ReadAllText(Path.Combine(Root(), "config", "TUNING.md"));

    public static TheoryData<string> Commands() => [.. CommandLines().Matches(Text).Select(match => match.Groups[1].Value)];

    [Fact]
    public void Sections_OfThePage_HaveACommandEach() => Assert.Equal(Regex.Count(Text, "(?m)^## "), Commands().Count);

    [Theory, MemberData(nameof(Commands))]
    public async Task Command_WithFewRequests_Runs(string command)
    {
        var (output, error) = (new StringWriter(), new StringWriter());

        var code = await new RootCommand { ReplayVerb.Create() }.Parse([.. command.Split(' ').Skip(1), "--limit", "40"])
            .InvokeAsync(new InvocationConfiguration { Output = output, Error = error });

        Assert.Equal((0, ""), (code, error.ToString()));
        Assert.Matches("TTFT mean", output.ToString());
    }

    [Fact]
    public void Keys_ThatAreNamed_Exist()
    {
        var keys = Keys(typeof(GatewayOptions), "").ToHashSet(StringComparer.Ordinal);
        var named = Words().Matches(Text).Select(match => match.Groups[1].Value).Where(word => keys.Contains(word.Split('.')[0]) && word.Contains('.', StringComparison.Ordinal)).Distinct().ToArray();

        Assert.NotEmpty(named);
        Assert.All(named, key => Assert.Contains(key, keys));
    }

    [Fact]
    public void Metrics_ThatAreNamed_Exist()
    {
        var known = MetricNames.All.Select(metric => metric.PrometheusName).ToHashSet(StringComparer.Ordinal);
        var named = Words().Matches(Text).Select(match => match.Groups[1].Value).Where(word => word.StartsWith("gateway_", StringComparison.Ordinal)).Distinct().ToArray();

        Assert.NotEmpty(named);
        Assert.All(named, metric => Assert.Contains(metric, known));
    }

    [Fact]
    public void Links_WithinThePage_LeadToASection()
    {
        var sections = Headings().Matches(Text).Select(match => new string([.. match.Groups[1].Value.ToLowerInvariant().Replace(' ', '-').Where(c => char.IsLetterOrDigit(c) || c == '-')])).ToArray();

        Assert.All(Anchors().Matches(Text).Select(match => match.Groups[1].Value), anchor => Assert.Contains(anchor, sections));
    }

    private static IEnumerable<string> Keys(Type section, string path) => SettingSchema.Of(section).SelectMany(setting =>
    {
        var key = path.Length == 0 ? setting.Key : $"{path}.{setting.Key}";
        var inner = SettingSchema.ItemOf(setting.ValueType) ?? setting.ValueType;
        return SettingSchema.IsSection(inner) ? Keys(inner, key).Prepend(key) : [key];
    });

    [GeneratedRegex(@"(?m)^(gateway replay .*)$")]
    private static partial Regex CommandLines();

    [GeneratedRegex(@"`([A-Za-z_][A-Za-z0-9_.]*)[^`]*`")]
    private static partial Regex Words();

    [GeneratedRegex(@"(?m)^## (.*)$")]
    private static partial Regex Headings();

    [GeneratedRegex(@"\]\(#([^)]+)\)")]
    private static partial Regex Anchors();
}
