using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Gateway.Tests.Configuration.Schema;

/// <summary>Checks a document against a JSON schema: the words that the configuration's schema is made of, and an error for any other.</summary>
internal static class SchemaCheck
{
    private static readonly string[] Silent = ["$schema", "title", "description", "default"];

    /// <summary>What is wrong, each with its path; empty: the document is valid.</summary>
    public static IEnumerable<string> Problems(JsonObject schema, JsonNode? value, string path = "")
    {
        foreach (var (word, rule) in schema.Where(part => !Silent.Contains(part.Key)))
        {
            var problems = word switch
            {
                "type" => Unless(Types(rule!).Any(type => Is(type, value)), $"is no {string.Join(" or ", Types(rule!))}"),
                "enum" => Unless(rule!.AsArray().Any(allowed => JsonNode.DeepEquals(allowed, value)), $"is none of {rule}"),
                "const" => Unless(JsonNode.DeepEquals(rule, value), $"is not {rule}"),
                "pattern" => Unless(value is not JsonValue text || !text.TryGetValue<string>(out var written) || Regex.IsMatch(written, (string)rule!), $"does not look like {rule}"),
                "minLength" => Unless(value is not JsonValue text || !text.TryGetValue<string>(out var written) || written.Length >= (int)rule!, "is too short"),
                "minimum" => Unless(NumberOf(value) is not { } number || number >= (double)rule!, $"is below {rule}"),
                "maximum" => Unless(NumberOf(value) is not { } number || number <= (double)rule!, $"is above {rule}"),
                "anyOf" => AnyOf(rule!.AsArray(), value),
                "items" => value is JsonArray list ? list.SelectMany((item, index) => Problems(rule!.AsObject(), item, $"[{index}]")) : [],
                "properties" => value is JsonObject map ? map.Where(entry => rule![entry.Key] is not null).SelectMany(entry => Problems(rule![entry.Key]!.AsObject(), entry.Value, "." + entry.Key)) : [],
                "additionalProperties" => value is JsonObject map ? map.Where(entry => schema["properties"]?[entry.Key] is null).SelectMany(entry => Additional(rule!, entry)) : [],
                "required" => value is JsonObject map ? rule!.AsArray().Where(key => !map.ContainsKey((string)key!)).Select(key => $": lacks {key}") : [],
                _ => throw new NotSupportedException($"\"{word}\" is not checked here."),
            };
            foreach (var problem in problems)
            {
                yield return path + problem;
            }
        }
    }

    private static string[] AnyOf(JsonArray forms, JsonNode? value)
    {
        var tries = forms.Select(form => Problems(form!.AsObject(), value).ToArray()).ToArray();
        // The form that comes closest is the one that was meant: a section with a wrong key is no wrong address.
        return tries.Any(problems => problems.Length == 0) ? [] : tries.MaxBy(problems => problems.Max(problem => problem.TakeWhile(mark => mark != ':').Count(mark => mark is '.' or '[')))!;
    }

    private static IEnumerable<string> Additional(JsonNode rule, KeyValuePair<string, JsonNode?> entry) =>
        rule is JsonObject schema ? Problems(schema, entry.Value, "." + entry.Key) : [$".{entry.Key}: unknown key"];

    private static string[] Unless(bool holds, string problem) => holds ? [] : [": " + problem];

    private static IEnumerable<string> Types(JsonNode rule) => rule is JsonArray types ? types.Select(type => (string)type!) : [(string)rule!];

    private static bool Is(string type, JsonNode? value) => (type, value) switch
    {
        ("null", null) => true,
        ("object", JsonObject) or ("array", JsonArray) => true,
        ("string", JsonValue text) => text.TryGetValue<string>(out _),
        ("boolean", JsonValue flag) => flag.TryGetValue<bool>(out _),
        ("number", _) => NumberOf(value) is not null,
        ("integer", _) => NumberOf(value) % 1 == 0,
        _ => false,
    };

    private static double? NumberOf(JsonNode? value) => value is JsonValue number && number.TryGetValue<double>(out var parsed) ? parsed : null;
}
