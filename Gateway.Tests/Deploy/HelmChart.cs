using System.Text;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Gateway.Tests.Deploy;

/// <summary>
/// Renders the chart's templates by the part of Go's template language that they use: if, else, with, range, define, include, toYaml, nindent, quote and not.
/// Anything else is refused, so that a template cannot lean on what was never checked.
/// </summary>
internal sealed partial class HelmChart
{
    private readonly Dictionary<string, Node[]> _defined = [];
    private readonly YamlMappingNode _values;
    private readonly string _release;

    /// <param name="folder">The chart.</param>
    /// <param name="release">Name of the release.</param>
    /// <param name="values">Values as <c>--set</c> would give them: a path of keys, and YAML.</param>
    public HelmChart(string folder, string release, params (string Path, string Value)[] values)
    {
        _release = release;
        _values = DeployFile.Documents(Path.Combine(folder, "values.yaml"))[0];
        foreach (var (path, value) in values)
        {
            Set(path, value);
        }
        var files = Directory.GetFiles(DeployFile.PathOf(Path.Combine(folder, "templates"))).Order(StringComparer.Ordinal).ToArray();
        foreach (var file in files.Where(file => file.EndsWith(".tpl", StringComparison.Ordinal)))
        {
            Write(Parse(File.ReadAllText(file)), _values, new StringBuilder());
        }
        Manifests = [.. files.Where(file => file.EndsWith(".yaml", StringComparison.Ordinal)).SelectMany(file => DeployFile.DocumentsIn(Render(File.ReadAllText(file))))];
    }

    /// <summary>What the chart makes, in no order that matters.</summary>
    public IReadOnlyList<YamlMappingNode> Manifests { get; }

    private void Set(string path, string value)
    {
        var keys = path.Split('.');
        var parent = (YamlMappingNode)(_values.Find(keys[..^1]) ?? throw new ArgumentException($"the chart has no value {path}"));
        parent.Children[keys[^1]] = DeployFile.DocumentsIn("it: " + value)[0]["it"];
    }

    private string Render(string template)
    {
        var output = new StringBuilder();
        Write(Parse(template), _values, output);
        return output.ToString();
    }

    private void Write(IEnumerable<Node> nodes, object dot, StringBuilder output)
    {
        foreach (var node in nodes)
        {
            switch (node.Verb)
            {
                case "text": output.Append(node.Argument); break;
                case "define": _defined[node.Argument.Trim('"')] = node.Body; break;
                case "range":
                    foreach (var item in ((YamlSequenceNode)Evaluate(node.Argument, dot)).Children)
                    {
                        Write(node.Body, item, output);
                    }
                    break;
                case "if": Write(IsTrue(Evaluate(node.Argument, dot)) ? node.Body : node.Else, dot, output); break;
                case "with":
                    var chosen = Evaluate(node.Argument, dot);
                    Write(IsTrue(chosen) ? node.Body : node.Else, IsTrue(chosen) ? chosen : dot, output);
                    break;
                default: output.Append(TextOf(Evaluate(node.Argument, dot))); break;
            }
        }
    }

    private object Evaluate(string expression, object dot)
    {
        object? value = null;
        foreach (var stage in expression.Split(" | "))
        {
            var words = Word().Matches(stage).Select(word => word.Value).ToArray();
            object[] arguments = [.. words.Skip(1).Select(word => Operand(word, dot)), .. value is null ? Array.Empty<object>() : [value]];
            value = words[0] switch
            {
                "not" => !IsTrue(arguments.Single()),
                "quote" => "\"" + TextOf(arguments.Single()) + "\"",
                "toYaml" => Flow((YamlNode)arguments.Single()),
                "nindent" => Indented(int.Parse((string)arguments[0]), TextOf(arguments[1])),
                "include" => Included((string)arguments[0], arguments[1]),
                var operand when words.Length == 1 && value is null => Operand(operand, dot),
                var other => throw new NotSupportedException($"{other} in {{{{ {expression} }}}} is not among what this renderer knows"),
            };
        }
        return value!;
    }

    private object Operand(string word, object dot) => word switch
    {
        "." => dot,
        ['"', .. var text, '"'] => text,
        // Inside with and range the dot is something else, and these would be looked for there.
        ".Release.Name" when ReferenceEquals(dot, _values) => _release,
        _ when word.StartsWith(".Values.", StringComparison.Ordinal) && ReferenceEquals(dot, _values) =>
            _values.Find(word.Split('.')[2..]) ?? throw new KeyNotFoundException($"{word} is not in values.yaml"),
        _ when int.TryParse(word, out _) => word,
        _ => throw new NotSupportedException($"{word} is not among what this renderer knows"),
    };

    private string Included(string name, object dot)
    {
        var output = new StringBuilder();
        Write(_defined[name], dot, output);
        return output.ToString();
    }

    private static string Indented(int spaces, string text) => "\n" + string.Join('\n', text.Split('\n').Select(line => new string(' ', spaces) + line));

    private static string TextOf(object value) => value is YamlScalarNode scalar ? scalar.Value ?? "" : (string)value;

    private static bool IsTrue(object value) => value switch
    {
        bool is_ => is_,
        YamlScalarNode scalar => scalar.Value is not (null or "" or "false" or "0"),
        YamlMappingNode map => map.Children.Count > 0,
        YamlSequenceNode list => list.Children.Count > 0,
        _ => value is not "",
    };

    private static string Flow(YamlNode node) => node switch
    {
        YamlMappingNode map => "{" + string.Join(", ", map.Children.Select(entry => Flow(entry.Key) + ": " + Flow(entry.Value))) + "}",
        YamlSequenceNode list => "[" + string.Join(", ", list.Children.Select(Flow)) + "]",
        YamlScalarNode { Style: ScalarStyle.Plain } plain => plain.Value!,
        _ => "\"" + ((YamlScalarNode)node).Value + "\"",
    };

    private static Node[] Parse(string template)
    {
        var open = new Stack<(Node Node, List<Node> Outer, bool InElse)>();
        List<Node> here = [];
        var at = 0;
        var trimsNext = false;
        foreach (Match action in Action().Matches(template))
        {
            var text = template[at..action.Index];
            here.Add(new Node("text", Trimmed(text, trimsNext, action.Groups[1].Length > 0)));
            (at, trimsNext) = (action.Index + action.Length, action.Groups[3].Length > 0);
            var words = action.Groups[2].Value.Split(' ', 2);
            switch (words[0])
            {
                case "if" or "with" or "range" or "define":
                    open.Push((new Node(words[0], words[1]), here, InElse: false));
                    here = [];
                    break;
                case "else":
                    var (node, outer, _) = open.Pop();
                    open.Push((node with { Body = [.. here] }, outer, InElse: true));
                    here = [];
                    break;
                case "end":
                    var (block, around, inElse) = open.Pop();
                    around.Add(inElse ? block with { Else = [.. here] } : block with { Body = [.. here] });
                    here = around;
                    break;
                default:
                    here.Add(new Node("write", action.Groups[2].Value));
                    break;
            }
        }
        here.Add(new Node("text", Trimmed(template[at..], trimsNext, atEnd: false)));
        return open.Count == 0 ? [.. here] : throw new FormatException("a block has no end");
    }

    private static string Trimmed(string text, bool atStart, bool atEnd)
    {
        text = atStart ? text.TrimStart() : text;
        return atEnd ? text.TrimEnd() : text;
    }

    private sealed record Node(string Verb, string Argument)
    {
        public Node[] Body { get; init; } = [];

        public Node[] Else { get; init; } = [];
    }

    [GeneratedRegex(@"\{\{(-?)\s*(.*?)\s*(-?)\}\}")]
    private static partial Regex Action();

    [GeneratedRegex("\"[^\"]*\"|\\S+")]
    private static partial Regex Word();
}
