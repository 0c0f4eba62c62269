using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Gateway.Tests.Deploy;

/// <summary>Files of a deployment, and the few questions that tests have about their YAML. Paths are relative to the repository's root.</summary>
internal static class DeployFile
{
    public static string Root { get; } = FindRoot();

    public static string PathOf(string file) => Path.Combine(Root, file);

    public static string Read(string file) => File.ReadAllText(PathOf(file));

    public static YamlMappingNode[] Documents(string file) => DocumentsIn(Read(file));

    /// <summary>The documents of a YAML text; empty ones are left out.</summary>
    public static YamlMappingNode[] DocumentsIn(string text)
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(text));
        return [.. yaml.Documents.Select(document => document.RootNode).OfType<YamlMappingNode>()];
    }

    /// <summary>What a path of keys leads to, keys merged with <c>&lt;&lt;</c> included; null: nothing.</summary>
    public static YamlNode? Find(this YamlNode node, params string[] path) => path.Aggregate((YamlNode?)node, (at, key) => at switch
    {
        YamlMappingNode map when map.Children.TryGetValue(key, out var next) => next,
        YamlMappingNode map when map.Children.TryGetValue("<<", out var merged) => merged.Find(key),
        YamlSequenceNode list when int.TryParse(key, out var index) => list.Children[index],
        _ => null,
    });

    public static string Text(this YamlNode node, params string[] path) =>
        (node.Find(path) as YamlScalarNode)?.Value ?? throw new KeyNotFoundException($"no text at {string.Join('.', path)}");

    public static string[] Texts(this YamlNode node, params string[] path) =>
        node.Find(path) is YamlSequenceNode list ? [.. list.Children.OfType<YamlScalarNode>().Select(item => item.Value!)] : [];

    public static IReadOnlyList<YamlNode> Items(this YamlNode node, params string[] path) => node.Find(path) is YamlSequenceNode list ? [.. list.Children] : [];

    public static Dictionary<string, YamlNode> Entries(this YamlNode node, params string[] path) =>
        node.Find(path) is YamlMappingNode map ? map.Children.ToDictionary(entry => entry.Key.Text(), entry => entry.Value) : [];

    /// <summary>All text below a node, keys left out.</summary>
    public static IEnumerable<string> AllTexts(this YamlNode node) => node switch
    {
        YamlScalarNode scalar => [scalar.Value ?? ""],
        YamlSequenceNode list => list.Children.SelectMany(AllTexts),
        YamlMappingNode map => map.Children.Values.SelectMany(AllTexts),
        _ => [],
    };

    /// <summary>One text for all ways to write the same thing: keys sorted, no comments, a number apart from the word that looks like it.</summary>
    public static string Canonical(this YamlNode node) => node switch
    {
        YamlMappingNode map => "{" + string.Join(", ", map.Children.Select(entry => entry.Key.Canonical() + ": " + entry.Value.Canonical()).Order(StringComparer.Ordinal)) + "}",
        YamlSequenceNode list => "[" + string.Join(", ", list.Children.Select(Canonical)) + "]",
        YamlScalarNode { Style: ScalarStyle.Plain, Value: var word } when word is null or "" or "~" or "null" or "true" or "false" || double.TryParse(word, out _) => word ?? "null",
        YamlScalarNode scalar => "\"" + scalar.Value + "\"",
        _ => throw new ArgumentException($"{node.NodeType} is not used here"),
    };

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Gateway.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }
        return folder;
    }
}
