using System.Collections;

namespace Gateway.Configuration;

/// <summary>Builds the options from the tree: knows keys, types, bounds and names, and notes every mistake with its place. One per load.</summary>
internal sealed class OptionsBinder(ProblemList problems)
{
    private readonly Dictionary<string, SourceSpot> _written = new(StringComparer.Ordinal);
    private readonly HashSet<string> _shorthands = new(StringComparer.Ordinal);

    /// <summary>Where each setting was written, by path; only settings that are in the file or the environment.</summary>
    public IReadOnlyDictionary<string, SourceSpot> Written => _written;

    /// <summary>Paths of the sections that were written as one of their values.</summary>
    public IReadOnlySet<string> Shorthands => _shorthands;

    /// <summary>A section's options, with defaults for what is absent or wrong. <c>path</c> is where the section stands; <c>table</c> is the same
    /// without list positions, for the tables of names.</summary>
    public object BindSection(Type type, SettingNode node, string path, string table)
    {
        var section = Activator.CreateInstance(type)!;
        _written[path] = node.Where;
        if (node.IsAbsent)
        {
            RequireAll(type, [], node.Where, path);
            return section;
        }

        if (node is not MapNode map)
        {
            BindShorthand(type, section, node, path, table);
            return section;
        }

        var settings = SettingSchema.Of(type);
        var present = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in map.Entries)
        {
            var child = SettingText.Join(path, entry.Key);
            if (settings.FirstOrDefault(setting => setting.Key == entry.Key) is not { } setting)
            {
                var near = problems.IsFull ? null : NearestWord.To(entry.Key, settings.Select(known => known.Key));
                problems.Add(entry.KeyWhere, child, SettingSchema.UnknownKey(type, near), near);
            }
            else if (!entry.Value.IsAbsent)
            {
                present.Add(setting.Key);
                Set(setting, section, entry.Value, child, Below(table, setting.Key));
            }
        }

        RequireAll(type, present, node.Where, path);
        return section;
    }

    private void BindShorthand(Type type, object section, SettingNode node, string path, string table)
    {
        var takesList = SettingSchema.ShorthandOf(type) is { } candidate && SettingSchema.ItemOf(candidate.ValueType) is not null;
        if (SettingSchema.ShorthandOf(type) is { } shorthand && (node is ScalarNode || takesList))
        {
            _shorthands.Add(path);
            Set(shorthand, section, node, path, Below(table, shorthand.Key));
            return;
        }

        problems.Add(node.Where, path, $"a section is expected here, with keys such as {SettingSchema.Of(type)[0].Key}.");
    }

    private void RequireAll(Type type, HashSet<string> present, SourceSpot where, string path)
    {
        foreach (var missing in SettingSchema.Of(type).Where(setting => setting.IsRequired && !present.Contains(setting.Key)))
        {
            problems.Add(where, SettingText.Join(path, missing.Key), "is required.");
        }
    }

    private void Set(Setting setting, object section, SettingNode node, string path, string table)
    {
        _written[path] = node.Where;
        var value = SettingSchema.ItemOf(setting.ValueType) is { } item ? BindList(setting, item, node, path, table)
            : SettingSchema.IsWordMap(setting.ValueType) ? BindWords(node, path)
            : SettingSchema.IsSection(setting.ValueType) ? BindSection(setting.ValueType, node, path, table)
            : BindScalar(setting, setting.ValueType, node, path, table);
        if (value is not null)
        {
            setting.Property.SetValue(section, value);
        }
    }

    private object? BindScalar(Setting setting, Type type, SettingNode node, string path, string table)
    {
        if (node is not ScalarNode scalar)
        {
            problems.Add(node.Where, path, $"a single value is expected here, not a {(node is ListNode ? "list" : "section")}.");
            return null;
        }

        if (scalar.Text.Contains("${", StringComparison.Ordinal))
        {
            problems.Warn(node.Where, path, "is taken as it stands: variables are not filled in here. Set it by its own variable (GATEWAY__...), or fill the file in before.");
        }

        var reading = ScalarReader.Read(setting, type, scalar.Text);
        if (reading.What is { } what)
        {
            problems.Add(node.Where, path, what, reading.Suggestion);
        }
        else if (reading.Value is string text && text.Trim().Length == 0)
        {
            problems.Add(node.Where, path, "must not be empty.");
        }
        else if (KnownNames.For(table) is { } known && !known.Names.Contains(scalar.Text))
        {
            problems.Add(
                node.Where,
                path,
                $"no {known.Noun} is called \"{SettingText.Shown(scalar.Text)}\". Known: {string.Join(", ", known.Names)}.",
                NearestWord.To(scalar.Text, known.Names));
        }

        return reading.Value;
    }

    private IList? BindList(Setting setting, Type item, SettingNode node, string path, string table)
    {
        var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(item))!;
        var isSection = SettingSchema.IsSection(item);
        if (node is ScalarNode && !isSection)
        {
            return BindScalar(setting, item, node, path, table) is { } only ? Added(list, only) : null;
        }

        if (node is not ListNode written)
        {
            problems.Add(node.Where, path, "a list is expected here, each item behind a \"-\".");
            return null;
        }

        for (var i = 0; i < written.Items.Count; i++)
        {
            var at = $"{path}[{i}]";
            _written[at] = written.Items[i].Where;
            var value = isSection ? BindSection(item, written.Items[i], at, table) : BindScalar(setting, item, written.Items[i], at, table);
            if (value is not null || item == typeof(string))
            {
                // A wrong item is bound as an empty word, so that the positions of the items behind it still match the file.
                list.Add(value ?? "");
            }
        }

        return list;
    }

    private Dictionary<string, string>? BindWords(SettingNode node, string path)
    {
        if (node is not MapNode map)
        {
            problems.Add(node.Where, path, "a section of words is expected here, like zone: a.");
            return null;
        }

        var words = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in map.Entries)
        {
            if (entry.Value is ScalarNode scalar)
            {
                words[entry.Key] = scalar.Text;
            }
            else
            {
                problems.Add(entry.Value.Where, SettingText.Join(path, entry.Key), "a single word is expected here.");
            }
        }

        return words;
    }

    private static IList Added(IList list, object value)
    {
        list.Add(value);
        return list;
    }

    private static string Below(string table, string key) => table.Length == 0 ? key : table + "." + key;
}
