using System.Globalization;
using System.Text;
using Gateway.Configuration;
using Gateway.Simulation;

namespace Gateway.Cli.Profiles;

/// <summary>Engine profiles as commented YAML, out and in. Pure; a mistake is a value with its line and column.</summary>
public static class ProfileYaml
{
    private const int MaxPoints = 1_000;
    private const int MaxTextLength = 500;

    /// <summary>Writes a profile so that <see cref="Read"/> gives an equal one.</summary>
    /// <param name="profile">The profile.</param>
    /// <param name="notes">Comment lines for the head of the file; line breaks within one are taken out.</param>
    public static string Write(EngineProfile profile, IEnumerable<string> notes)
    {
        var yaml = new StringBuilder();
        foreach (var note in notes)
        {
            yaml.Append("# ").Append(OneLine(note)).Append('\n');
        }

        yaml.Append("name: ").Append(Quoted(profile.Name)).Append('\n');
        yaml.Append("source: ").Append(Quoted(profile.Source)).Append('\n');
        yaml.Append("# token-wise layers: ms of a step of that many tokens, linear in between\nlayers:\n");
        foreach (var (tokens, milliseconds) in profile.Layers)
        {
            yaml.Append(CultureInfo.InvariantCulture, $"  - {{ tokens: {tokens}, ms: {milliseconds:R} }}\n");
        }

        foreach (var key in ProfileKeys.Numbers)
        {
            var line = string.Create(CultureInfo.InvariantCulture, $"{key.Name}: {key.Get(profile):R}");
            yaml.Append(line.PadRight(48)).Append("  # ").Append(key.Comment).Append('\n');
        }

        return yaml.Append($"reservesFullPrompt: {Word(profile.ReservesFullPrompt)}".PadRight(48)).Append("  # a request starts only when blocks for its whole prompt are free\n")
            .Append($"cachesPrefixes: {Word(profile.CachesPrefixes)}".PadRight(48)).Append("  # keeps the beginnings of prompts for those that begin alike (--enable-prefix-caching)\n").ToString();
    }

    /// <summary>Reads a profile. Keys that are left out come from the shipped profile that <c>basedOn</c> names, else have their default, else are asked for.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="fileName">As the user named it; used in messages only.</param>
    public static LoadResult<EngineProfile> Read(string text, string fileName)
    {
        var problems = new ProblemList();
        EngineProfile? profile = null;
        if (Encoding.UTF8.GetByteCount(text) > ConfigurationLoader.MaxBytes)
        {
            problems.Add(SourceSpot.Of(fileName), "", $"The file is larger than {SettingText.WriteBytes(ConfigurationLoader.MaxBytes)}.");
        }
        else if (YamlTree.Read(text.TrimStart('\uFEFF'), fileName, problems) is MapNode map)
        {
            profile = Bind(map, fileName, problems);
        }
        else if (problems.IsEmpty)
        {
            problems.Add(new SourceSpot(fileName, 1, 1), "", "a profile is a map of keys and values, and this is none.");
        }

        return new LoadResult<EngineProfile>(problems.IsEmpty ? profile : null, problems.InOrder(fileName));
    }

    private static string Word(bool flag) => flag ? "true" : "false";

    private static EngineProfile Bind(MapNode map, string fileName, ProblemList problems)
    {
        foreach (var entry in map.Entries.Where(entry => !ProfileKeys.Names.Contains(entry.Key)))
        {
            problems.Add(entry.KeyWhere, SettingText.Shown(entry.Key), "unknown key. Known: " + string.Join(", ", ProfileKeys.Names) + ".", NearestWord.To(entry.Key, ProfileKeys.Names));
        }

        var lender = Lender(map, problems);
        var profile = (lender ?? EngineProfiles.Demo with
        {
            HeadPerSequence = 0.0035,
            DecodeFixed = 0.3,
            PrefillFixed = 0.3,
            MixedDecodeFactor = 1,
            Overhead = 0,
            BlockTokens = 16,
            MaxModelTokens = 32_768,
        }) with
        {
            Name = Text(map, "name", problems) ?? Path.GetFileNameWithoutExtension(fileName),
            Source = Text(map, "source", problems) ?? (lender is null ? "a file of the user's" : $"a file of the user's, based on {lender.Name}"),
        };
        profile = profile with
        {
            Layers = Layers(map, lender, problems),
            ReservesFullPrompt = Flag(map, "reservesFullPrompt", profile.ReservesFullPrompt, problems),
            CachesPrefixes = Flag(map, "cachesPrefixes", profile.CachesPrefixes, problems),
        };
        foreach (var key in ProfileKeys.Numbers)
        {
            if (Present(map, key.Name) is { } node)
            {
                profile = Number(node, key.Name, key.Least, key.Most, key.IsWhole, problems) is { } value ? key.Set(profile, value) : profile;
            }
            else if (key.IsRequired && lender is null)
            {
                problems.Add(map.Where, key.Name, "missing. Write it, or name a shipped profile in basedOn.");
            }
        }

        return profile;
    }

    private static EngineProfile? Lender(MapNode map, ProblemList problems)
    {
        if (Text(map, "basedOn", problems) is not { } name)
        {
            return null;
        }

        var lender = EngineProfiles.Find(name);
        if (lender is null)
        {
            problems.Add(map["basedOn"]!.Where, "basedOn", $"no shipped profile is called \"{SettingText.Shown(name)}\". Known: {string.Join(", ", EngineProfiles.Names)}.", NearestWord.To(name, EngineProfiles.Names));
        }

        return lender;
    }

    private static IReadOnlyList<LayerTime> Layers(MapNode map, EngineProfile? lender, ProblemList problems)
    {
        switch (Present(map, "layers"))
        {
            case ListNode { Items.Count: > 0 and <= MaxPoints } list:
                return [.. Points(list, problems)];
            case null when lender is not null:
                return lender.Layers;
            case null:
                problems.Add(map.Where, "layers", "missing. Write it, or name a shipped profile in basedOn.");
                break;
            case var other:
                problems.Add(other.Where, "layers", $"must be a list of 1 to {MaxPoints} points like {{ tokens: 64, ms: 17.4 }}.");
                break;
        }

        return EngineProfiles.Demo.Layers;
    }

    private static IEnumerable<LayerTime> Points(ListNode list, ProblemList problems)
    {
        var before = 0.0;
        for (var index = 0; index < list.Items.Count; index++)
        {
            var path = string.Create(CultureInfo.InvariantCulture, $"layers[{index}]");
            if (list.Items[index] is not MapNode point)
            {
                problems.Add(list.Items[index].Where, path, "must be a point like { tokens: 64, ms: 17.4 }.");
                continue;
            }

            foreach (var entry in point.Entries.Where(entry => entry.Key is not ("tokens" or "ms")))
            {
                problems.Add(entry.KeyWhere, SettingText.Join(path, entry.Key), "unknown key. Known: tokens, ms.", NearestWord.To(entry.Key, ["tokens", "ms"]));
            }

            var tokens = PointNumber(point, path, "tokens", 1, isWhole: true, problems);
            var milliseconds = PointNumber(point, path, "ms", 0, isWhole: false, problems);
            if (tokens <= before)
            {
                problems.Add(point["tokens"]!.Where, path + ".tokens", "points stand in ascending order of tokens.");
            }

            before = tokens ?? before;
            yield return new LayerTime((int)(tokens ?? 1), milliseconds ?? 0);
        }
    }

    private static double? PointNumber(MapNode point, string path, string key, double least, bool isWhole, ProblemList problems)
    {
        if (Present(point, key) is { } node)
        {
            return Number(node, $"{path}.{key}", least, ProfileKeys.MostMilliseconds, isWhole, problems);
        }

        problems.Add(point.Where, $"{path}.{key}", "missing.");
        return null;
    }

    private static double? Number(SettingNode node, string path, double least, double most, bool isWhole, ProblemList problems)
    {
        var written = node is ScalarNode scalar ? scalar.Text : null;
        if (written is null || SettingText.Number(written) is not { } value || (isWhole && value != Math.Floor(value)))
        {
            problems.Add(node.Where, path, $"{(written is null ? "this" : $"\"{SettingText.Shown(written)}\"")} is not a {(isWhole ? "whole " : "")}number.");
            return null;
        }

        if (value < least || value > most)
        {
            problems.Add(node.Where, path, $"{SettingText.Shown(written)} is too {(value > most ? "large" : "small")}. Allowed: {SettingText.WriteNumber(least)} to {SettingText.WriteNumber(most)}.");
            return null;
        }

        return value;
    }

    private static bool Flag(MapNode map, string key, bool otherwise, ProblemList problems)
    {
        if (Present(map, key) is not { } node)
        {
            return otherwise;
        }

        if (node is ScalarNode scalar && bool.TryParse(scalar.Text, out var flag))
        {
            return flag;
        }

        problems.Add(node.Where, key, "must be true or false.");
        return otherwise;
    }

    private static string? Text(MapNode map, string key, ProblemList problems)
    {
        switch (Present(map, key))
        {
            case null:
                return null;
            case ScalarNode { Text.Length: <= MaxTextLength } scalar:
                return scalar.Text;
            case var other:
                problems.Add(other.Where, key, $"must be a text of at most {MaxTextLength} characters.");
                return null;
        }
    }

    private static SettingNode? Present(MapNode map, string key) => map[key] is { IsAbsent: false } node ? node : null;

    private static string OneLine(string text) => string.Concat(text.Select(letter => char.IsControl(letter) ? ' ' : letter));

    private static string Quoted(string text) => "\"" + OneLine(text).Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";
}
