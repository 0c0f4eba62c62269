using System.Text.RegularExpressions;

namespace Gateway.Tests.Deploy;

/// <summary>deploy/README.md: what it tells people to run is run by .ci/run, unless it says what it needs.</summary>
public class ReadmeTests
{
    [Fact]
    public void Commands_ThatNeedNoContainers_AreRunByTheChecks()
    {
        var checks = DeployFile.Read(".ci/run").Replace("\"$work/gateway/gateway\"", "out/gateway", StringComparison.Ordinal).Replace("\"$work/gateway\"", "out", StringComparison.Ordinal);

        var commands = Commands().Where(command => !NeedsMore(command)).ToArray();

        Assert.NotEmpty(commands);
        Assert.All(commands, command => Assert.Contains(command.Split("  #")[0].TrimEnd(), checks, StringComparison.Ordinal));
    }

    [Fact]
    public void Commands_ThatNeedContainers_SaySo()
    {
        var unmarked = Commands().Where(command => !NeedsMore(command))
            .Where(command => command.Split(' ')[0] is "docker" or "kubectl" or "helm" || command.Contains("| kubectl", StringComparison.Ordinal));

        Assert.Empty(unmarked);
    }

    [Fact]
    public void Paths_ThatItNames_Exist()
    {
        var paths = Regex.Matches(DeployFile.Read("deploy/README.md"), @"\]\(([^)#]+)\)").Select(match => match.Groups[1].Value).ToArray();

        Assert.NotEmpty(paths);
        Assert.All(paths, path => Assert.True(Path.Exists(DeployFile.PathOf(Path.Combine("deploy", path))), $"{path} is missing"));
    }

    private static bool NeedsMore(string command) =>
        command.Contains("# needs Docker", StringComparison.Ordinal) || command.Contains("# needs Kubernetes", StringComparison.Ordinal);

    private static IEnumerable<string> Commands()
    {
        var isIn = false;
        foreach (var line in DeployFile.Read("deploy/README.md").Split('\n'))
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                isIn = line == "```sh";
            }
            else if (isIn && line.Length > 0)
            {
                yield return line;
            }
        }
    }
}
