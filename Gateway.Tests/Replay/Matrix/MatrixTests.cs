using Gateway.Replay.Matrix;
using Gateway.Simulation;
using Gateway.Tests.Replay.Reports;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Replay.Matrix;

public sealed class MatrixTests
{
    private const string Good = """
        baselines: [round_robin, lmetric]
        loads: [0.5, 1.2]
        replicas: [2]
        workloads:
          - { name: short, trace: "poisson:rate=1,requests=400,input=200,output=50" }
        """;

    [Fact]
    public void Read_OfTheShippedFile_ComparesEveryNamedRouting()
    {
        var file = MatrixReader.Read(File.ReadAllText(Path.Combine(Root(), "config", "matrix", "everything.yaml")), "m.yaml");

        Assert.Empty(file.Problems);
        Assert.Empty(Gateway.Routing.RoutingPolicies.Names.Except(["least_delay", "least_work"]).Except(file.Options!.Baselines));
        Assert.Equal([0.7, 0.95, 1.3], file.Options.Loads);
        Assert.Equal([4, 16], file.Options.Replicas);
    }

    [Theory]
    [InlineData("", "m.yaml  The file is empty; a matrix needs baselines and workloads.")]
    [InlineData("baselines: [round_robbin]\nworkloads: [{ name: a, trace: w1 }]", "m.yaml:1:13  baselines[0]: No routing is called 'round_robbin'.")]
    [InlineData("baselines: [random]\nloads: [0]\nworkloads: [{ name: a, trace: w1 }]", "m.yaml:2:8  loads: shares of the capacity, above 0 up to 10, at least one.")]
    [InlineData("baselines: [random]\nreplicas: []\nworkloads: [{ name: a, trace: w1 }]", "m.yaml:2:11  replicas: numbers from 1 to 4096, at least one.")]
    [InlineData("baselines: [random]\nworkloads: [{ name: a, trace: w1, arrivals: often }]", "m.yaml:2:45  workloads[0].arrivals:")]
    [InlineData("baselines: [random]\nseeds: 0\nworkloads: [{ name: a, trace: w1 }]", "m.yaml:2:8  seeds:")]
    [InlineData("baselines: [random]\nworkloads: [{ name: a, trace: w1, limit: 0 }]", "m.yaml:2:42  workloads[0].limit:")]
    public void Read_OfAMistake_TellsItsPlace(string text, string problem)
    {
        var read = MatrixReader.Read(text, "m.yaml");

        Assert.Null(read.Options);
        Assert.StartsWith(problem, Gateway.Configuration.ProblemReport.Format(read.Problems, ""), StringComparison.Ordinal);
    }

    [Fact]
    public void Execute_OfASmallMatrix_RunsEveryCellAndGivesEqualBytesTwice()
    {
        var cells = Execute(Good);

        Assert.Equal([0.5, 1.2], cells.Select(cell => cell.Load));
        Assert.All(cells, cell => Assert.Equal(["default", "round_robin", "lmetric"], cell.Baselines.Prepend(cell.Reference).Select(row => row.Policy)));
        Assert.All(cells, cell => Assert.Equal(400, Assert.Single(cell.Reference.Runs).Completed));
        var offered = cells.Select(cell => 400 / cell.Reference.Runs[0].DurationSeconds / cell.CapacityPerSecond).ToList();
        Assert.InRange(offered[0], 0.4, 0.55);
        Assert.InRange(offered[1], 0.6, 1.1);
        Assert.Equal(MatrixJson.Write(cells), MatrixJson.Write(Execute(Good)));
    }

    [Fact]
    public void Execute_UnderSeveralSeeds_TellsTheMeansOfWhatEachTells()
    {
        var alone = new[] { "3", "4" }.Select(seed => Execute($"{Good}\nseed: {seed}")[1]).ToList();

        var both = Execute($"{Good}\nseed: 3\nseeds: 2")[1];

        Assert.Equal(alone.Average(cell => cell.CapacityPerSecond), both.CapacityPerSecond, 9);
        Assert.Equal(alone.Average(cell => cell.Reference.EndToEnd.Mean), both.Reference.EndToEnd.Mean, 9);
        Assert.Equal(alone.Average(cell => cell.Baselines[1].TimeToFirstToken.P99), both.Baselines[1].TimeToFirstToken.P99, 9);
        Assert.NotEqual(alone[0].Reference.EndToEnd, alone[1].Reference.EndToEnd);
    }

    [Fact]
    public void Execute_OfAWorkloadThatTheFleetHoldsAtOnce_CountsTheTimeThatAllTook()
    {
        // Forty answers of 1,000 tokens, of which 28 count, in front of two H100 with room for twice as many: they end within a moment, and no step takes less than 7 ms.
        var cell = Execute(Good.Replace("poisson:rate=1,requests=400,input=200,output=50\"", "w6:rate=8,groups=2,prompts=20\", profile: h100-llama-8b", StringComparison.Ordinal))[0];

        Assert.InRange(cell.CapacityPerSecond, 1, 28 / (1_000 * 0.007));
    }

    [Fact]
    public void Losses_OfACell_AreBaselinesBetterOnMeanAndTail()
    {
        var slow = new MatrixRow("default", [MadeUpRuns.Draw(1, 3_000, slowness: 2)]);
        var same = new MatrixRow("same", slow.Runs);
        var fast = new MatrixRow("fast", [MadeUpRuns.Draw(1, 3_000, slowness: 0.5)]);

        var beaten = MatrixVerdict.Losses(Cell(0.95, slow, same, fast)).ToList();
        var ahead = MatrixVerdict.Losses(Cell(0.7, fast, slow)).ToList();
        var few = MatrixVerdict.Losses(Cell(0.95, new("default", [MadeUpRuns.Draw(1, 500, slowness: 2)]), new MatrixRow("fast", [MadeUpRuns.Draw(1, 500, slowness: 0.5)]))).ToList();

        Assert.Equal([("fast", "e2e"), ("fast", "ttft")], beaten.Select(loss => (loss.Baseline.Policy, loss.Figure)));
        Assert.All(beaten, loss => Assert.True(loss.MeanRatio > MatrixVerdict.LossRatio && loss.TailRatio > MatrixVerdict.LossRatio));
        Assert.Empty(ahead);
        Assert.All(few, loss => Assert.Null(loss.TailRatio));
        Assert.NotEmpty(few);
    }

    private static MatrixCell Cell(double load, MatrixRow reference, params MatrixRow[] baselines) => new()
    {
        Workload = new MatrixWorkload { Name = "w", Trace = "w1" },
        Replicas = 2,
        CapacityPerSecond = 1,
        Load = load,
        Reference = reference,
        Baselines = baselines,
    };

    private static IReadOnlyList<MatrixCell> Execute(string text)
    {
        var file = MatrixReader.Read(text, "m.yaml").Options!;
        var sources = file.Workloads.Select(workload => new MatrixSource(workload, workload.Trace, EngineProfiles.Demo)).ToList();
        return [.. new MatrixSuite(file, sources).Execute(CancellationToken.None)];
    }
}
