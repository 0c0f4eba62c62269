using Gateway.Replicas;
using Gateway.Replicas.Engines.Discovery;

namespace Gateway.Configuration;

/// <summary>Reads files that list replicas, by the rules of <c>models[].replicas</c>.</summary>
public sealed class ReplicaListReader : IReplicaListReader
{
    /// <summary>Replicas that one file may list.</summary>
    public const int MaxReplicas = 4_096;

    private sealed record Listed
    {
        public IReadOnlyList<ReplicaOptions> Replicas { get; init; } = [];
    }

    /// <inheritdoc/>
    public string? Read(string path, out string? problem) => ConfigurationFile.Read(path, out problem);

    /// <inheritdoc/>
    public IReadOnlyList<ReplicaOptions>? Parse(string text, string path, out string? problem)
    {
        var problems = new ProblemList();
        var replicas = Load(text, path, problems);
        problem = problems.IsEmpty ? null : string.Join(" ", problems.InOrder(path).Select(mistake => $"{mistake.Where} {mistake}"));
        return problems.IsEmpty ? replicas : null;
    }

    /// <summary>The replicas of a text; what is wrong with it is added to the problems.</summary>
    internal static IReadOnlyList<ReplicaOptions> Load(string text, string path, ProblemList problems)
    {
        var start = new SourceSpot(path, 1, 1);
        var tree = YamlTree.Read(text.TrimStart('\uFEFF'), path, problems);
        if (tree is not (ListNode or MapNode))
        {
            if (problems.IsEmpty)
            {
                problems.Add(start, "replicas", "the file lists no replicas. Write them like - url: http://10.0.0.11:8000, or [] for none.");
            }

            return [];
        }

        var binder = new OptionsBinder(problems);
        var root = tree as MapNode ?? new MapNode(start, [new SettingEntry("replicas", start, tree)]);
        var listed = (Listed)binder.BindSection(typeof(Listed), root, "", "");
        if (listed.Replicas.Count > MaxReplicas)
        {
            problems.Add(start, "replicas", $"lists {listed.Replicas.Count} replicas. Allowed: {MaxReplicas} at most.");
        }

        ModelRules.CheckListed(listed.Replicas, new RuleReport(binder.Written, binder.Shorthands, problems));
        return listed.Replicas;
    }
}
