using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Configuration;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration.Schema;

/// <summary>config/gateway.schema.json: generated from the options, kept true, and named by every example so that editors find it.</summary>
public sealed class SchemaTests
{
    private static readonly string SchemaFile = Path.Combine(Root(), "config", "gateway.schema.json");

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly string Written = new ConfigurationSchema(SettingDocs.Read()).Write().ToJsonString(Indented).ReplaceLineEndings("\n") + "\n";

    private static readonly JsonObject Schema = JsonNode.Parse(Written)!.AsObject();

    public static TheoryData<string> Examples() =>
        [.. new[] { "config", "deploy/docker" }.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root(), folder), "*.yaml"))
            .Select(file => Path.GetRelativePath(Root(), file)).Where(file => !file.EndsWith("engines.yaml", StringComparison.Ordinal)).Order()];

    [Fact]
    public async Task SchemaFile_InConfig_SaysWhatTheOptionsSay()
    {
        if (Environment.GetEnvironmentVariable("GATEWAY_WRITE_DOCS") == "1")
        {
            await File.WriteAllTextAsync(SchemaFile, Written);
            return;
        }

        Assert.True(Written == await File.ReadAllTextAsync(SchemaFile), "config/gateway.schema.json does not say what the options say. Write it anew: GATEWAY_WRITE_DOCS=1 dotnet test --filter SchemaFile");
    }

    [Theory, MemberData(nameof(Examples))]
    public async Task Example_AsShipped_IsValidAndNamesTheSchema(string file)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(Root(), file));

        Assert.Empty(Problems(text));
        const string Mark = "# yaml-language-server: $schema=";
        var first = text.Split('\n')[0];
        Assert.StartsWith(Mark, first, StringComparison.Ordinal);
        Assert.Equal(SchemaFile, Path.GetFullPath(first[Mark.Length..], Path.GetDirectoryName(Path.Combine(Root(), file))!));
    }

    [Theory]
    [InlineData("queue: { maxWating: 30s }", ".queue.maxWating: unknown key")]
    [InlineData("queue: { maxWait: soon }", ".queue.maxWait: does not look like")]
    [InlineData("queue: { maxWaiting: 0 }", ".queue.maxWaiting: is below 1")]
    [InlineData("queue: { maxWaiting: 2000000 }", ".queue.maxWaiting: is above 1000000")]
    [InlineData("queue: { maxWaiting: many }", ".queue.maxWaiting: is no integer")]
    [InlineData("queue: { order: shortest }", ".queue.order: is none of")]
    [InlineData("queue: { maxWaitingBytes: 1PiB }", ".queue.maxWaitingBytes: is no integer")]
    [InlineData("telemetry: { logLevel: loud }", ".telemetry.logLevel: is none of")]
    [InlineData("telemetry: { replicaHeader: maybe }", ".telemetry.replicaHeader: is no boolean")]
    [InlineData("listen: { tls: { key: k } }", ".listen.tls: lacks certificate")]
    [InlineData("models: [{ name: a, replicas: [{ url: http://a:1, slot: 3 }] }]", ".models[0].replicas[0].slot: unknown key")]
    [InlineData("models: [{ name: a, replicas: [{ url: http://a:1, weight: 0 }] }]", ".models[0].replicas[0].weight: is below 0.001")]
    [InlineData("models: [{ name: a, replicas: ['a:1'] }]", ".models[0].replicas[0]: ")]
    public void Check_OfAMistake_FindsItAsTheLoaderDoes(string text, string expected)
    {
        Assert.Contains(Problems(text), problem => problem.StartsWith(expected, StringComparison.Ordinal));
        Assert.NotEmpty(Load(text).Problems);
    }

    [Theory]
    [InlineData("listen: http://*:8080")]
    [InlineData("listen: [http://*:8080, http://*:8081]")]
    [InlineData("routing:\n  # nothing but comments")]
    [InlineData("queue: { maxWait: 0.5s, maxWaitingBytes: 268435456, overtakingLimit: 0 }")]
    [InlineData("routing: { overloadSeconds: 2.5 }")]
    [InlineData("access: { tenants: [{ name: a, keyEnv: A, models: m }] }")]
    public void Check_OfAShortForm_FindsNoProblem(string text) => Assert.Empty(Problems(OneModel + text));

    private static IEnumerable<string> Problems(string text)
    {
        var problems = new ProblemList();
        var tree = YamlTree.Read(text, "test.yaml", problems);

        Assert.True(problems.IsEmpty);
        return SchemaCheck.Problems(Schema, Json(tree!));
    }

    // As YAML 1.2 types its plain values, which is what editors do.
    private static JsonNode? Json(SettingNode node) => node switch
    {
        MapNode map => new JsonObject(map.Entries.Select(entry => KeyValuePair.Create(entry.Key, Json(entry.Value)))),
        ListNode list => new JsonArray([.. list.Items.Select(Json)]),
        ScalarNode { IsAbsent: true } => null,
        ScalarNode { IsPlain: true, Text: "true" or "false" } flag => flag.Text == "true",
        ScalarNode { IsPlain: true } number when double.TryParse(number.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) => parsed,
        ScalarNode text => text.Text,
        _ => throw new InvalidOperationException($"{node.Where} is of no kind that YAML has."),
    };
}
