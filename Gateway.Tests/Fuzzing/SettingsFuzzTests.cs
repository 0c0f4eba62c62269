using System.Text;
using Gateway.Access;
using Gateway.Configuration;
using Gateway.Tests.Configuration;
using Xunit.Abstractions;

namespace Gateway.Tests.Fuzzing;

/// <summary>Whatever stands in a file of settings: settings, or problems with their place; never an exception, never more than the file's size allows.</summary>
public sealed class SettingsFuzzTests(ITestOutputHelper output)
{
    private static readonly string[] Words =
    [
        "  ", "- ", ": ", "|", ">", "&a ", "*a", "<<: *a\n", "? ", "# ", "!!binary ", "---\n", "...\n", "\"\\U00110000\"", "%YAML 9.9\n", "~", "http://", "https://u:p@h:1/", "http://[", "9999999999h", "-5s",
        "models:\n", "routing:\n", "name: ", "a: &a [*a]\n", "&x [", "*x, ", "replicas: [", "- url: http://h:1\n", "{a: ", "[[", "? - ", "'",
    ];

    private static readonly Lazy<Mutations> Files = new(() => Mutations.Of(
        Directory.EnumerateFiles(Path.Combine(Loading.Root(), "config"), "*.yaml").Order(StringComparer.Ordinal).Select(File.ReadAllText).Where(text => text.Length < 4_000)
            .Append(Loading.OneModel + "queue: { maxWait: 5s, maxWaiting: 10 }\nrouting: { policy: least_work }\n").Append(Laughs), Words));

    // Nine times nine times nine, and on.
    private static string Laughs => "a: &a [x, x, x, x, x, x, x, x, x]\n" + string.Concat(Enumerable.Range(1, 9).Select(i => $"{(char)('a' + i)}: &{(char)('a' + i)} [{string.Join(", ", Enumerable.Repeat($"*{(char)('a' + i - 1)}", 9))}]\n"));

    private static readonly Mutations Lists = Mutations.Of(["- url: http://10.0.0.11:8000\n  slots: 4\n- http://10.0.0.12:8000\n", """[{"url":"http://10.0.0.11:8000","labels":{"zone":"a"}},{"dns":"http://h:1","weight":2}]""", "replicas:\n- http://h:1\n"], Words);

    private static readonly Mutations Keys = Mutations.Of([$"chat sha256:{new string('a', 64)}\n# comment\nnightly sha256:{new string('0', 64)} # more\n"], "sha256:", "chat ", "#");

    [Fact]
    public Task Load_MutatedFiles_GivesSettingsOrProblems() => FuzzSettingsAsync(1_500, seed: 21);

    [Fact]
    [Trait("Category", "Long")]
    public Task Load_AMillionMutatedFiles_GivesSettingsOrProblems() => FuzzSettingsAsync(Fuzzer.LongCases, seed: 22);

    [Theory]
    [InlineData(23, 3_000)]
    public async Task Parse_MutatedReplicaLists_GivesReplicasOrOneProblem(int seed, int cases) =>
        await Wide(seed).RunAsync(cases, Lists.Next, (text, _) => (Replicas: new ReplicaListReader().Parse(Encoding.UTF8.GetString(text), "list", out var problem), Problem: problem), (_, list) =>
            Assert.Equal(list.Replicas is null, list.Problem is not null));

    [Theory]
    [InlineData(24, 3_000)]
    public async Task Read_MutatedKeyFiles_GivesKeysOrProblemsWithoutTheirText(int seed, int cases) =>
        await Wide(seed).RunAsync(
            cases, Keys.Next, (text, _) =>
            {
                var problems = new List<KeyLineProblem>();
                return (Keys: KeysFile.Read(Encoding.UTF8.GetString(text), name => name == "chat", new HashSet<KeyDigest>(), problems), Problems: problems);
            },
            (_, read) => Assert.All(read.Problems, problem => Assert.DoesNotContain("aaaa", problem.What, StringComparison.Ordinal)));

    private Task FuzzSettingsAsync(int cases, int seed) => Wide(seed).RunAsync(
        cases, Files.Value.Next, (text, _) => ConfigurationLoader.Load(Encoding.UTF8.GetString(text), "fuzzed.yaml", Loading.NoEnvironment), (_, loaded) =>
        {
            Assert.Equal(loaded.Options is null, loaded.Problems.Count > 0);
            Assert.All(loaded.Problems, problem => Assert.False(string.IsNullOrWhiteSpace(problem.What) || string.IsNullOrEmpty(problem.Where.File)));
            Assert.NotEmpty(ProblemReport.Format(loaded.Problems, ""));
        });

    // The scanner makes objects for every token, the binder one for every setting, and each problem is a sentence.
    private Fuzzer Wide(int seed) => new(output, seed) { FreeBytes = 8 << 20, BytesPerInputByte = 4_096 };
}
