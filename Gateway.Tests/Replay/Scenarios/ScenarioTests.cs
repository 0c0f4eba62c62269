using System.Globalization;
using System.Text;
using Gateway.Replay.Scenarios;
using Gateway.Replay.Traces;
using Gateway.Simulation;
using Gateway.Tests.Replay.Traces;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Replay.Scenarios;

public sealed class ScenarioTests
{
    private const string Good = """
        system: S
        source: somewhere
        experiments:
          - name: e
            workload: w1:rate=12,requests=100
            baseline: round_robin
            policy: sal
            claims:
              - { metric: ttft_mean, expect: lower }
              - { metric: e2e_mean, expect: same, published: 0.9-1.1 }
        """;

    [Fact]
    public void Read_OfEveryShippedFile_FindsNoProblem()
    {
        var files = Directory.GetFiles(Path.Combine(Root(), "config", "scenarios"), "*.yaml");

        Assert.True(files.Length >= 15);
        Assert.All(files, file => Assert.Empty(ScenarioReader.Read(File.ReadAllText(file), Path.GetFileName(file), DataFiles.None).Problems));
    }

    [Theory]
    [InlineData(14, 12, 0.75, 5)]
    [InlineData(17, 12, 0.375, 0)]
    [InlineData(14, 20, null, 0)]
    public void Recovered_OfWhatTheBestGains_DecidesTheClaim(double policy, double best, double? recovered, int holds)
    {
        var file = ScenarioReader.Read(Good.Replace("expect: lower", "expect: recovers, share: 0.7", StringComparison.Ordinal).Replace("    policy: sal", "    policy: sal\n    best: lmetric", StringComparison.Ordinal), "s.yaml", DataFiles.None).Options!;
        var result = new ScenarioResult
        {
            File = file,
            Experiment = file.Experiments[0],
            Claim = file.Experiments[0].Claims[0],
            Pairs = [.. Enumerable.Repeat(((double?)20, (double?)policy), 5)],
            Bests = [.. Enumerable.Repeat((double?)best, 5)],
        };

        Assert.Equal(recovered, result.Recovered);
        Assert.Equal(holds, result.Holds);
    }

    [Fact]
    public void Read_OfAGoodFile_FillsTheDefaults()
    {
        var file = ScenarioReader.Read(Good, "s.yaml", DataFiles.None).Options!;

        Assert.Equal([1, 2, 3, 4, 5], file.Experiments[0].Seeds);
        Assert.Equal(("rtx4090-llama-8b", 1), (file.Experiments[0].Fleet.Profile, file.Experiments[0].Fleet.Replicas));
        Assert.Equal((ClaimDirection.Same, "0.9-1.1"), (file.Experiments[0].Claims[1].Expect, file.Experiments[0].Claims[1].Published));
    }

    [Theory]
    [InlineData("system: S", "sistem: S", "s.yaml:1:1  sistem: unknown setting. Did you mean \"system\"?")]
    [InlineData("w1:rate=12", "w1:rat=12", "s.yaml:5:15  experiments[0].workload: w1: no parameter rat.")]
    [InlineData("w1:rate=12,requests=100", "no-such.csv", "s.yaml:5:15  experiments[0].workload: no-such.csv: neither a file nor a generator.")]
    [InlineData("    policy: sal", "    requests: 5\n    policy: sal", "s.yaml:7:15  experiments[0].requests: a generator has this among its own words")]
    [InlineData("    policy: sal", "    rate: 0\n    policy: sal", "s.yaml:7:11  experiments[0].rate:")]
    [InlineData("    policy: sal", "    flood: { times: 3 }\n    policy: sal", "experiments[0].flood.client: is required.")]
    [InlineData("    policy: sal", "    flood: { client: a, with: [b, a] }\n    policy: sal", "experiments[0].flood.with: names a client twice: each floods once.")]
    [InlineData("    policy: sal", "    flood: { client: a, leadIn: -1 }\n    policy: sal", "s.yaml:7:33  experiments[0].flood.leadIn: -1 is too small. Allowed: 0 to 100.")]
    [InlineData("expect: lower", "expect: recovers, share: 0.5", "experiments[0].claims[0].expect: needs the share that is recovered")]
    [InlineData("    policy: sal", "    best: sall\n    policy: sal", "s.yaml:7:11  experiments[0].best: No routing is called 'sall'.")]
    [InlineData("policy: sal", "policy: sall", "s.yaml:7:13  experiments[0].policy: No routing is called 'sall'.")]
    [InlineData("baseline: round_robin", "baseline: sal/sjf:2", "s.yaml:6:15  experiments[0].baseline: 'sjf:2': sjf takes no number")]
    [InlineData("ttft_mean", "ttft_meen", "s.yaml:9:19  experiments[0].claims[0].metric: no metric is called \"ttft_meen\".")]
    [InlineData("expect: lower", "expect: less", "\"less\" is none of: lower, higher, same, recovers, within.")]
    [InlineData("    claims:", "    seeds: [1, 2, 2, 3, 4]\n    claims:", "s.yaml:8:12  experiments[0].seeds: 5 to 100 different seeds are needed")]
    [InlineData("    claims:", "    fleet: { profile: rtx4091, speeds: [0] }\n    claims:", "no profile is called \"rtx4091\".")]
    [InlineData("    policy: sal\n", "", "experiments[0].policy: is required.")]
    public void Read_OfAMistake_SaysWhereAndWhatIsAllowed(string good, string bad, string told)
    {
        var (options, problems) = ScenarioReader.Read(Good.Replace(good, bad, StringComparison.Ordinal), "s.yaml", DataFiles.None);

        Assert.Null(options);
        Assert.Contains(problems, problem => $"{problem.Where}  {problem}".Contains(told, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# nothing\n")]
    [InlineData("- a\n- b")]
    [InlineData("system: [")]
    public void Read_OfNoScenario_IsAProblem(string text)
    {
        var (options, problems) = ScenarioReader.Read(text, "s.yaml", DataFiles.None);

        Assert.Null(options);
        Assert.NotEmpty(problems);
    }

    [Fact]
    public void Execute_OneAtATimeOrSeveral_GivesTheSameBytes()
    {
        var file = ScenarioReader.Read(Good, "s.yaml", DataFiles.None).Options!;

        var one = ScenarioJson.Write(new ScenarioSuite([file], DataFiles.None, isQuick: false).Execute(1, CancellationToken.None));
        var several = ScenarioJson.Write(new ScenarioSuite([file], DataFiles.None, isQuick: false).Execute(4, CancellationToken.None));

        Assert.Equal(one, several);
        Assert.Contains("\"seeds\": 5", Encoding.UTF8.GetString(one), StringComparison.Ordinal);
    }

    [Fact]
    public void Execute_Quickly_RunsTwoSeedsOfEach()
    {
        var suite = new ScenarioSuite([ScenarioReader.Read(Good, "s.yaml", DataFiles.None).Options!], DataFiles.None, isQuick: true);

        var results = suite.Execute(2, CancellationToken.None);

        Assert.Equal((4, 4), (suite.Runs, suite.Finished));
        Assert.All(results, result => Assert.Equal(2, result.Pairs.Count));
    }

    [Fact]
    public void Execute_WithoutTheDataFile_SkipsTheExperimentAndRunsTheRest()
    {
        var text = Good + Good[Good.IndexOf("  - name", StringComparison.Ordinal)..].Replace("w1:rate=12,requests=100", "data:traces/none.csv.gz", StringComparison.Ordinal).Insert(0, "\n");
        var suite = new ScenarioSuite([ScenarioReader.Read(text, "s.yaml", DataFiles.None).Options!], DataFiles.None, isQuick: true);

        var results = suite.Execute(2, CancellationToken.None);

        Assert.Equal(4, suite.Finished);
        Assert.Equal([null, null, "traces/none.csv.gz", "traces/none.csv.gz"], results.Select(result => result.Missing));
        Assert.All(results.Skip(2), result => Assert.Equal((false, null, null), (result.IsReproduced, result.Baseline, result.Ratio)));
    }

    [Fact]
    public void Execute_OnADataFile_GivesEachSeedItsPart()
    {
        using var reading = new TraceReading();
        var path = reading.Write("t.csv", ["timestamp_ms,input_tokens,output_tokens,client_id", .. Enumerable.Range(0, 50).Select(i => FormattableString.Invariant($"{i * 1000},{(i < 10 ? 2_000 : 100)},5,c{i % 2}"))]);
        var data = new DataFiles(Path.GetDirectoryName(path));
        var text = Good.Replace("w1:rate=12,requests=100", "data:t.csv\n    requests: 10\n    flood: { client: c0, times: 2 }", StringComparison.Ordinal);

        var results = new ScenarioSuite([ScenarioReader.Read(text, "s.yaml", data).Options!], data, isQuick: false).Execute(2, CancellationToken.None);

        Assert.All(results[0].Pairs.Skip(1), pair => Assert.True(pair.Baseline < results[0].Pairs[0].Baseline));
    }

    [Fact]
    public void Execute_WhereTwoClientsFlood_CountsNeitherAmongTheOthers()
    {
        using var reading = new TraceReading();
        var rows = Enumerable.Range(0, 40).Select(i => $"{i * 1_000},{(i % 4 == 3 ? 10 : 1_500)},5,c{i % 4}");
        var folder = Path.GetDirectoryName(reading.Write("t.csv", ["timestamp_ms,input_tokens,output_tokens,client_id", .. rows]))!;
        var text = Good.Replace("w1:rate=12,requests=100", "data:t.csv\n    flood: { client: c0, with: [c1, c2], times: 2 }", StringComparison.Ordinal)
            .Replace("ttft_mean, expect: lower", "others_ttft_mean, expect: lower", StringComparison.Ordinal);
        var file = ScenarioReader.Read(text, "s.yaml", new DataFiles(folder)).Options!;

        var figures = ScenarioRun.Execute(file.Experiments[0], "round_robin", floods: true, seed: 1, part: 0, limit: null, new DataFiles(folder), CancellationToken.None);

        Assert.Equal(40 + 30, figures.Summary.Completed);
        Assert.True(figures.OthersTimeToFirstToken < figures.FlooderTimeToFirstToken / 2, $"{figures.OthersTimeToFirstToken} {figures.FlooderTimeToFirstToken}");
    }

    [Fact]
    public void Execute_WithALeadIn_MeasuresOnlyWhatComesAfterIt()
    {
        using var reading = new TraceReading();
        var rows = Enumerable.Range(0, 40).Select(i => $"{i * 1_000},{(i % 4 == 3 ? 10 : 1_500)},5,c{i % 4}");
        var folder = Path.GetDirectoryName(reading.Write("t.csv", ["timestamp_ms,input_tokens,output_tokens,client_id", .. rows]))!;
        var file = ScenarioReader.Read(Good.Replace("w1:rate=12,requests=100", "data:t.csv\n    flood: { client: c0, times: 2, leadIn: 3 }", StringComparison.Ordinal), "s.yaml", new DataFiles(folder)).Options!;

        var alone = Run(floods: false);
        var flooded = Run(floods: true);

        Assert.Equal((40, 40 + 10), (alone.Summary.Completed, flooded.Summary.Completed));
        Assert.InRange(alone.Summary.DurationSeconds, 39, 41);

        ScenarioFigures Run(bool floods) =>
            ScenarioRun.Execute(file.Experiments[0], "round_robin", floods, seed: 1, part: 0, limit: null, new DataFiles(folder), CancellationToken.None);
    }

    /// <summary>Requests that no engine has room for would be counted out of the figures.</summary>
    [Fact]
    public void ShippedExperiments_OnRealTraces_NameAProfileThatHasRoomForEveryRequest()
    {
        var data = new DataFiles(TestData.Folder);
        var experiments = Directory.GetFiles(Path.Combine(Root(), "config", "scenarios"), "*.yaml")
            .SelectMany(file => ScenarioReader.Read(File.ReadAllText(file), file, data).Options!.Experiments)
            .Where(experiment => experiment.Workload.StartsWith("data:", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(experiments);

        foreach (var used in experiments.Where(experiment => data.MissingFor(experiment.Workload) is null).DistinctBy(experiment => (experiment.Workload, experiment.Fleet.Profile)))
        {
            var profile = EngineProfiles.Find(used.Fleet.Profile)!;
            var rows = TraceSource.Open(data.Resolve(used.Workload), new TraceSettings()).Read().Select(row => row.InputTokens + row.OutputTokens);
            Assert.InRange(rows.Max(), 1, Math.Min(profile.KvTokens, profile.MaxModelTokens));
        }
    }

    [Theory]
    [InlineData(ClaimDirection.Lower, "10:9 10:8 10:9", 3)]
    [InlineData(ClaimDirection.Lower, "10:9 10:10 10:11", 1)]
    [InlineData(ClaimDirection.Higher, "10:11 10:10", 1)]
    [InlineData(ClaimDirection.Same, "100:98 100:102 100:97.9", 2)]
    [InlineData(ClaimDirection.Within, "10:15 10:15.1 10:1", 2)]
    [InlineData(ClaimDirection.Lower, "10:? ?:1 ?:?", 0)]
    public void Holds_OverPairs_CountsTheSeedsInWhichTheFigureMovedAsClaimed(ClaimDirection expect, string pairs, int holds)
    {
        var result = Result(expect, pairs);

        Assert.Equal(holds, result.Holds);
        Assert.Equal(holds == result.Pairs.Count, result.IsReproduced);
    }

    [Fact]
    public void Ratio_WithAndWithoutFigures_IsOfTheMeansOrNone()
    {
        Assert.Equal(0.5, Result(ClaimDirection.Lower, "10:2 30:18").Ratio);
        Assert.Null(Result(ClaimDirection.Lower, "0:2 0:1").Ratio);
        Assert.Null(Result(ClaimDirection.Lower, "10:? 10:1").Ratio);
    }

    /// <summary>What this project rests on: where it stops holding, a default is in question.</summary>
    [Theory]
    [Trait("Category", "Long")]
    [InlineData("past-future.yaml")]
    [InlineData("boost.yaml")]
    [InlineData("ssjf.yaml", "the oracle against the classes")]
    [InlineData("vtc.yaml")]
    [InlineData("preble.yaml")]
    [InlineData("ltr.yaml", "promotion against the order's own guard of shortest first, input-heavy overload")]
    public void Execute_OfTheHypothesesWeRestOn_HoldsInNearlyEverySeed(string name, string except = "")
    {
        var file = ScenarioReader.Read(File.ReadAllText(Path.Combine(Root(), "config", "scenarios", name)), name, DataFiles.None).Options!;

        var results = new ScenarioSuite([file], DataFiles.None, isQuick: false).Execute(2, CancellationToken.None);

        Assert.All(results.Where(result => result.Experiment.Name != except), result => Assert.True(
            result.Holds >= result.Pairs.Count - 1, $"{result.Experiment.Name}, {result.Claim.Metric}: {result.Holds} of {result.Pairs.Count}"));
    }

    private static ScenarioResult Result(ClaimDirection expect, string pairs) => new()
    {
        File = new ScenarioFile(),
        Experiment = new ScenarioExperiment(),
        Claim = new ScenarioClaim { Metric = "ttft_mean", Expect = expect, Most = 1.5 },
        Pairs = [.. pairs.Split(' ').Select(pair => pair.Split(':')).Select(pair => (Figure(pair[0]), Figure(pair[1])))],
    };

    private static double? Figure(string text) => text == "?" ? null : double.Parse(text, CultureInfo.InvariantCulture);
}
