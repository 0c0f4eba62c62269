using System.Text;

namespace Gateway.Configuration;

/// <summary>From the text of a file and the environment to options, or to every mistake in them. Pure.</summary>
public static class ConfigurationLoader
{
    /// <summary>Longest text read, in bytes of UTF-8.</summary>
    public const int MaxBytes = 4 << 20;

    /// <summary>Reads a whole configuration. Nothing in the text makes this throw.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="fileName">As the user named it; used in messages only.</param>
    /// <param name="environment">Overrides (<c>GATEWAY__...</c>) and the variables that <c>apiKeyEnv</c> may name, and OpenTelemetry's own.</param>
    public static LoadResult<GatewayOptions> Load(string text, string fileName, IReadOnlyDictionary<string, string> environment)
    {
        var problems = new ProblemList();
        var options = Encoding.UTF8.GetByteCount(text) <= MaxBytes
            ? Read(text, fileName, environment, problems)
            : TooLarge(fileName, problems);
        return new LoadResult<GatewayOptions>(problems.IsEmpty ? options : null, problems.InOrder(fileName)) { Warnings = problems.Warnings };
    }

    private static GatewayOptions? TooLarge(string fileName, ProblemList problems)
    {
        problems.Add(SourceSpot.Of(fileName), "", $"The file is larger than {SettingText.WriteBytes(MaxBytes)}.");
        return null;
    }

    private static GatewayOptions? Read(string text, string fileName, IReadOnlyDictionary<string, string> environment, ProblemList problems)
    {
        var tree = YamlTree.Read(text.TrimStart('\uFEFF'), fileName, problems);
        if (tree is null && !problems.IsEmpty)
        {
            return null;
        }

        tree = new EnvironmentOverrides(problems).Apply(tree ?? new MapNode(new SourceSpot(fileName, 1, 1), []), environment);
        var binder = new OptionsBinder(problems);
        var options = (GatewayOptions)binder.BindSection(typeof(GatewayOptions), tree, "", "");
        var report = new RuleReport(binder.Written, binder.Shorthands, problems);
        if (tree is MapNode)
        {
            ModelRules.Check(options, environment, report);
            SettingRules.Check(options, report);
            AccessRules.Check(options, environment, report);
            RedisRules.Check(options.Redis, environment, report);
        }

        CollectorRules.Check(environment, problems);

        return options with { Source = ConfigurationSource.Of(text, fileName, environment) };
    }
}
