using System.Globalization;

namespace Gateway.Configuration;

/// <summary>Lays <c>GATEWAY__QUEUE__ORDER=fcfs</c> and its like over the tree of the file. Segments match keys whatever their case; a list's items go by
/// number, and the number after the last appends.</summary>
internal sealed class EnvironmentOverrides(ProblemList problems)
{
    private const string Prefix = "GATEWAY__";

    /// <summary>Whether a variable is meant for the gateway's settings.</summary>
    public static bool IsOne(string variable) => variable.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase);

    /// <summary>The tree with every override in its place; a variable that names no setting is a problem.</summary>
    public SettingNode Apply(SettingNode root, IReadOnlyDictionary<string, string> environment)
    {
        var overrides = environment
            .Where(variable => IsOne(variable.Key))
            .OrderBy(variable => SortKey(variable.Key), StringComparer.Ordinal);
        foreach (var (name, value) in overrides)
        {
            root = new Override(name, value, problems).SetIn(typeof(GatewayOptions), root, 1, "");
        }

        return root;
    }

    /// <summary>Numbers padded, so that item 10 comes after item 9 and finds its list long enough.</summary>
    private static string SortKey(string name) =>
        string.Join('\u0001', name.ToUpperInvariant().Split("__").Select(part => part.All(char.IsAsciiDigit) ? part.PadLeft(10, '0') : part));

    /// <summary>One variable on its way down the tree.</summary>
    private sealed class Override(string name, string value, ProblemList problems)
    {
        private readonly string[] _segments = name.Split("__");
        private readonly SourceSpot _where = SourceSpot.Of(name);

        public SettingNode SetIn(Type type, SettingNode? node, int at, string path)
        {
            if (SettingSchema.IsSection(type))
            {
                return at == _segments.Length ? SetShorthand(type, node, path) : SetKey(type, node, at, path);
            }

            if (at == _segments.Length)
            {
                return SetValue(type, node, path);
            }

            return SettingSchema.ItemOf(type) is { } item ? SetItem(item, node, at, path)
                : SettingSchema.IsWordMap(type) && at == _segments.Length - 1 ? SetWord(node, at)
                : Refuse(node, $"{path}.{Written(at)}", "unknown setting.");
        }

        private SettingNode SetKey(Type section, SettingNode? node, int at, string path)
        {
            var settings = SettingSchema.Of(section);
            if (settings.FirstOrDefault(setting => setting.Key.Equals(_segments[at], StringComparison.OrdinalIgnoreCase)) is not { } setting)
            {
                var near = NearestWord.To(_segments[at], settings.Select(known => known.Key));
                var variable = near is null ? null : string.Join("__", [.. _segments[..at], near.ToUpperInvariant(), .. _segments[(at + 1)..]]);
                return Refuse(node, SettingText.Join(path, Written(at)), SettingSchema.UnknownKey(section, near), variable is null ? null : SettingText.Shown(variable));
            }

            if (Opened(section, node) is not { } map)
            {
                return node!;
            }

            var value = SetIn(setting.ValueType, map[setting.Key], at + 1, SettingText.Join(path, setting.Key));
            return map.With(new SettingEntry(setting.Key, _where, value));
        }

        /// <summary>The section as a map; null where the file holds something that is none, which the binder will say.</summary>
        private MapNode? Opened(Type section, SettingNode? node) => node switch
        {
            null or { IsAbsent: true } => new MapNode(_where, []),
            MapNode map => map,
            _ when SettingSchema.ShorthandOf(section) is { } shorthand => new MapNode(node.Where, [new SettingEntry(shorthand.Key, node.Where, node)]),
            _ => null,
        };

        private SettingNode SetShorthand(Type section, SettingNode? node, string path)
        {
            if (SettingSchema.ShorthandOf(section) is not { } shorthand)
            {
                return Refuse(node, path, $"names a section. Go on with one of its keys, as in {name}__{SettingSchema.Of(section)[0].Key.ToUpperInvariant()}.");
            }

            var value = SetValue(shorthand.ValueType, null, path);
            return node is MapNode map ? map.With(new SettingEntry(shorthand.Key, _where, value)) : value;
        }

        private SettingNode SetItem(Type item, SettingNode? node, int at, string path)
        {
            IReadOnlyList<SettingNode> items = node switch
            {
                ListNode list => list.Items,
                null or { IsAbsent: true } => [],
                _ => [node],
            };
            if (!int.TryParse(_segments[at], NumberStyles.None, CultureInfo.InvariantCulture, out var position) || position > items.Count)
            {
                return Refuse(node, $"{path}[{Written(at)}]", $"no such item: a number from 0 to {items.Count} is expected.");
            }

            var changed = SetIn(item, position < items.Count ? items[position] : null, at + 1, $"{path}[{position}]");
            return new ListNode(node?.Where ?? _where, position < items.Count ? [.. items.Take(position), changed, .. items.Skip(position + 1)] : [.. items, changed]);
        }

        private MapNode SetWord(SettingNode? node, int at)
        {
            var map = node as MapNode ?? new MapNode(_where, []);
            var existing = map.Entries.FirstOrDefault(entry => entry.Key.Equals(_segments[at], StringComparison.OrdinalIgnoreCase));
            return map.With(new SettingEntry(existing?.Key ?? _segments[at].ToLowerInvariant(), _where, new ScalarNode(_where, value, false)));
        }

        private SettingNode SetValue(Type type, SettingNode? node, string path)
        {
            if (SettingSchema.ItemOf(type) is not { } item)
            {
                return SettingSchema.IsWordMap(type)
                    ? Refuse(node, path, $"names a section. Go on with a word, as in {name}__ZONE.")
                    : new ScalarNode(_where, value, false);
            }

            if (SettingSchema.IsSection(item) && SettingSchema.ShorthandOf(item) is null)
            {
                return Refuse(node, path, $"names a list. Go on with a number, as in {name}__0.");
            }

            var parts = value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            return new ListNode(_where, [.. parts.Select(part => new ScalarNode(_where, part, false))]);
        }

        private SettingNode Refuse(SettingNode? node, string path, string what, string? suggestion = null)
        {
            problems.Add(_where, path, what, suggestion);
            return node ?? new ScalarNode(_where, "", true);
        }

        private string Written(int at) => SettingText.Shown(_segments[at].ToLowerInvariant());
    }
}
