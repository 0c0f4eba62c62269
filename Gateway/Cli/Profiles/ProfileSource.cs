using Gateway.Configuration;
using Gateway.Simulation;

namespace Gateway.Cli.Profiles;

/// <summary>What <c>--profile</c> takes: the name of a shipped profile, or a YAML file.</summary>
public static class ProfileSource
{
    /// <summary>What may be written, for help texts.</summary>
    public static string Known { get; } = string.Join(", ", EngineProfiles.Names) + ", or a .yaml file";

    /// <summary>Whether the word means a file rather than a name.</summary>
    public static bool IsFile(string word) =>
        word.EndsWith(".yaml", StringComparison.OrdinalIgnoreCase) || word.EndsWith(".yml", StringComparison.OrdinalIgnoreCase) || word.Contains('/', StringComparison.Ordinal) || word.Contains('\\', StringComparison.Ordinal);

    /// <summary>The profile that the word means, or what is wrong with the word or the file.</summary>
    public static LoadResult<EngineProfile> Load(string word)
    {
        if (IsFile(word))
        {
            return ConfigurationFile.Read(word, out var unreadable) is { } text
                ? ProfileYaml.Read(text, word)
                : Problem(word, unreadable!, null);
        }

        return EngineProfiles.Find(word) is { } shipped
            ? new LoadResult<EngineProfile>(shipped, [])
            : Problem("profile", $"no profile is called \"{SettingText.Shown(word)}\". Known: {Known}.", NearestWord.To(word, EngineProfiles.Names));
    }

    private static LoadResult<EngineProfile> Problem(string where, string what, string? suggestion) =>
        new(null, [new ConfigurationProblem(SourceSpot.Of(where), "", what, suggestion)]);
}
