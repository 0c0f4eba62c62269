using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Gateway.Configuration;

/// <summary>Reads YAML into <see cref="SettingNode"/>s that know their place. Works on the parser's events, because the library's own document model
/// stops at the first double key and recurses as deep as the file says.</summary>
internal sealed class YamlTree
{
    /// <summary>Nesting of lists and maps; the settings need seven levels.</summary>
    internal const int MaxDepth = 32;

    /// <summary>Values and keys, with every alias written out: a file of a thousand replicas has some ten thousand.</summary>
    internal const int MaxNodes = 200_000;

    private readonly string _fileName;
    private readonly ProblemList _problems;
    private readonly Parser _parser;
    private readonly Dictionary<string, SettingNode> _anchors = new(StringComparer.Ordinal);
    private long _nodes;

    private YamlTree(string text, string fileName, ProblemList problems)
    {
        _fileName = fileName;
        _problems = problems;
        _parser = new Parser(new StringReader(text));
    }

    /// <summary>The file's single document; null where it is empty, or is not YAML, which is then among the problems.</summary>
    public static SettingNode? Read(string text, string fileName, ProblemList problems)
    {
        try
        {
            return new YamlTree(text, fileName, problems).ReadDocument();
        }
        catch (YamlException broken)
        {
            if (FirstIndentingTab(text) is { } tab)
            {
                problems.Add(new SourceSpot(fileName, tab.Line, tab.Column), "", "A tab stands here. YAML is indented with spaces.");
            }
            else
            {
                problems.Add(new SourceSpot(fileName, broken.Start.Line, broken.Start.Column), "", Sentence(broken.Message));
            }
            return null;
        }
        catch (Exception broken) when (broken is not OutOfMemoryException)
        {
            // YamlDotNet's scanner throws exceptions of many kinds on garbage: all of them mean that the text is no YAML.
            problems.Add(SourceSpot.Of(fileName), "", "This is not YAML.");
            return null;
        }
    }

    // The parser complains of it where the section began, many lines above.
    private static (int Line, int Column)? FirstIndentingTab(string text)
    {
        var line = 0;
        foreach (var content in text.AsSpan().EnumerateLines())
        {
            line++;
            var indent = content.Length - content.TrimStart(" \t").Length;
            if (content[..indent].IndexOf('\t') is >= 0 and var column && indent < content.Length && content[indent] != '#')
            {
                return (line, column + 1);
            }
        }
        return null;
    }

    private SettingNode? ReadDocument()
    {
        SettingNode? root = null;
        while (_parser.MoveNext())
        {
            switch (_parser.Current)
            {
                case StreamStart or StreamEnd or DocumentEnd:
                    break;
                case DocumentStart start when root is not null:
                    throw new YamlException(start.Start, start.End, "A second document begins here; a configuration is one document.");
                case DocumentStart:
                    _parser.MoveNext();
                    root = ReadNode(1, "");
                    break;
            }
        }

        return root is { IsAbsent: false } ? root : null;
    }

    private SettingNode ReadNode(int depth, string path)
    {
        var start = _parser.Current!;
        if (depth > MaxDepth)
        {
            throw new YamlException(start.Start, start.End, $"Nested deeper than {MaxDepth} levels.");
        }

        Count(1, start);
        SettingNode node = start switch
        {
            Scalar scalar => new ScalarNode(SpotOf(start), scalar.Value, scalar.Style == ScalarStyle.Plain),
            AnchorAlias alias => ReadAlias(alias, depth),
            SequenceStart => ReadList(depth, path),
            MappingStart => ReadMap(depth, path),
            _ => throw new YamlException(start.Start, start.End, "A value was expected here."),
        };
        if (start is NodeEvent { Anchor.IsEmpty: false } anchored)
        {
            _anchors[anchored.Anchor.Value] = node;
        }

        return node;
    }

    private SettingNode ReadAlias(AnchorAlias alias, int depth)
    {
        if (!_anchors.TryGetValue(alias.Value.Value, out var node))
        {
            throw new YamlException(alias.Start, alias.End, "No finished anchor of this name stands above.");
        }

        Count(node.Size, alias);
        return depth + node.Height <= MaxDepth + 1 ? node : throw new YamlException(alias.Start, alias.End, $"Nested deeper than {MaxDepth} levels.");
    }

    private ListNode ReadList(int depth, string path)
    {
        var where = SpotOf(_parser.Current!);
        var items = new List<SettingNode>();
        while (_parser.MoveNext() && _parser.Current is not SequenceEnd)
        {
            items.Add(ReadNode(depth + 1, $"{path}[{items.Count}]"));
        }

        return new ListNode(where, items);
    }

    private MapNode ReadMap(int depth, string path)
    {
        var where = SpotOf(_parser.Current!);
        var entries = new List<SettingEntry>();
        var merged = new List<SettingEntry>();
        var lines = new Dictionary<string, long>(StringComparer.Ordinal);
        while (_parser.MoveNext() && _parser.Current is not MappingEnd)
        {
            if (_parser.Current is not Scalar key)
            {
                throw new YamlException(_parser.Current!.Start, _parser.Current.End, "A key must be a single word.");
            }

            var child = SettingText.Join(path, key.Value);
            _parser.MoveNext();
            var value = ReadNode(depth + 1, child);
            if (key is { Value: "<<", Style: ScalarStyle.Plain })
            {
                merged.AddRange(Merged(value));
            }
            else if (lines.TryAdd(key.Value, key.Start.Line))
            {
                entries.Add(new SettingEntry(key.Value, SpotOf(key), value));
            }
            else
            {
                _problems.Add(SpotOf(key), child, $"written twice; first on line {lines[key.Value]}.");
            }
        }

        entries.AddRange(merged.Where(entry => lines.TryAdd(entry.Key, 0)));
        return new MapNode(where, entries);
    }

    /// <summary>YAML 1.1's merge key: what compose files and charts have taught people to write.</summary>
    private static IEnumerable<SettingEntry> Merged(SettingNode value) => value switch
    {
        MapNode map => map.Entries,
        ListNode list => list.Items.OfType<MapNode>().SelectMany(map => map.Entries),
        _ => [],
    };

    private void Count(long more, ParsingEvent at)
    {
        _nodes += more;
        if (_nodes > MaxNodes)
        {
            throw new YamlException(at.Start, at.End, $"More than {MaxNodes} values, aliases written out.");
        }
    }

    private SourceSpot SpotOf(ParsingEvent at) => new(_fileName, at.Start.Line, at.Start.Column);

    private static string Sentence(string message) => message.EndsWith('.') ? message : message + ".";
}
