using System.Text;
using Gateway.Configuration;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public class ConfigurationMutationTests
{
    private const int Seed = 20_260;

    private static readonly string[] Pieces =
    [
        "\n", "  ", "- ", ": ", "[", "]", "{", "}", "\"", "'", "|", ">", "&a ", "*a", "<<: *a", "? ", "# ", "!!binary ", "---\n", "\t", "\0", "\\x", "\"\\U00110000\"", "\uD800", "%YAML 9.9\n",
        "null", "~", "-1", "1e999", "99999999999999999999999999999999999999", "http://", "https://u:p@h:1/", "http://[", "NaN", "9999999999h", "-5s", "models", "routing:\n", "name: ", "äöü", "\uFEFF",
    ];

    [Fact]
    public void Load_OfRandomlyDamagedFiles_NeverThrowsAndSaysWhere()
    {
        var files = Directory.EnumerateFiles(Path.Combine(Root(), "config"), "*.yaml").Order(StringComparer.Ordinal).Select(File.ReadAllText).ToArray();
        var chance = new Random(Seed);
        var (good, bad) = (0, 0);

        for (var round = 0; round < 4_000; round++)
        {
            var text = Damaged(files[chance.Next(files.Length)], chance);
            var name = $"GATEWAY__{Pieces[chance.Next(Pieces.Length)]}__{chance.Next(3)}";
            try
            {
                var (options, problems) = Load(text, round % 4 == 0 ? [(name, Pieces[chance.Next(Pieces.Length)])] : []);

                Assert.Equal(options is null, problems.Count > 0);
                Assert.All(problems, problem => Assert.False(string.IsNullOrWhiteSpace(problem.What) || string.IsNullOrEmpty(problem.Where.File)));
                _ = ProblemReport.Format(problems, "");
                (good, bad) = options is null ? (good, bad + 1) : (good + 1, bad);
            }
            catch (Exception broken)
            {
                Assert.Fail($"Seed {Seed}, round {round}: {broken}\n{text}");
            }
        }

        Assert.True(good > 100 && bad > 1_000, $"Seed {Seed}: {good} good and {bad} bad files say little about either.");
    }

    private static string Damaged(string text, Random chance)
    {
        var damaged = new StringBuilder(text);
        for (var edits = chance.Next(1, 5); edits > 0; edits--)
        {
            var at = chance.Next(damaged.Length);
            var length = Math.Min(chance.Next(1, 30), damaged.Length - at);
            switch (chance.Next(4))
            {
                case 0: damaged.Remove(at, length); break;
                case 1: damaged.Insert(at, Pieces[chance.Next(Pieces.Length)]); break;
                case 2: damaged.Insert(at, damaged.ToString(at, length)); break;
                default: damaged[at] = (char)chance.Next(1, 0x2FF); break;
            }
        }

        return damaged.ToString();
    }
}
