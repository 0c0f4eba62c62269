namespace Gateway.Replay.Scenarios;

/// <summary>Runs scenario files, several runs at a time. The results depend on the files alone, not on what finished first.</summary>
/// <param name="files">Checked.</param>
/// <param name="data">Where data files are; experiments whose file is absent are skipped.</param>
/// <param name="isQuick">Two seeds and few requests: to see that everything runs, not what it shows.</param>
public sealed class ScenarioSuite(IReadOnlyList<ScenarioFile> files, DataFiles data, bool isQuick)
{
    private const int QuickSeeds = 2;
    private const int QuickRequests = 300;

    private int _finished;

    /// <summary>Runs that the files ask for.</summary>
    public int Runs { get; } = files.SelectMany(file => file.Experiments)
        .Where(experiment => data.MissingFor(experiment.Workload) is null).Sum(experiment => PoliciesOf(experiment).Length * SeedsOf(experiment, isQuick).Count());

    /// <summary>Runs that are done.</summary>
    public int Finished => Volatile.Read(ref _finished);

    /// <summary>One result per claim, in the order of the files.</summary>
    /// <param name="parallelRuns">Runs at a time, at least 1.</param>
    /// <param name="cancellationToken">Gives everything up.</param>
    /// <exception cref="Traces.TraceException">A workload is a file, and damaged.</exception>
    public IReadOnlyList<ScenarioResult> Execute(int parallelRuns, CancellationToken cancellationToken)
    {
        var experiments = files.SelectMany(file => file.Experiments.Select(experiment => new Planned(file, experiment, PairsOf(experiment)))).ToArray();
        var pairs = experiments.SelectMany(planned => planned.Pairs).ToArray();
        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = parallelRuns };
        try
        {
            var runs = pairs.SelectMany(pair => PoliciesOf(pair.Experiment).Select((policy, index) => (Pair: pair, Policy: policy, Index: index))).ToArray();
            Parallel.For(0, runs.Length, options, run => Execute(runs[run].Pair, runs[run].Policy, runs[run].Index, cancellationToken));
        }
        catch (AggregateException several) when (several.InnerException is Traces.TraceException damaged)
        {
            throw new Traces.TraceException(damaged.Message);
        }
        return [.. experiments.SelectMany(ResultsOf)];
    }

    private Pair[] PairsOf(ScenarioExperiment experiment) => data.MissingFor(experiment.Workload) is null
        ? [.. SeedsOf(experiment, isQuick).Select((seed, part) => new Pair(experiment, seed, part))]
        : [];

    private static string[] PoliciesOf(ScenarioExperiment experiment) => experiment.Best is { } best
        ? [experiment.Baseline, experiment.Policy, best]
        : [experiment.Baseline, experiment.Policy];

    private void Execute(Pair pair, string policy, int index, CancellationToken cancellationToken)
    {
        pair.Figures[index] = ScenarioRun.Execute(pair.Experiment, policy, index > 0 || pair.Experiment.Flood is not { InBaseline: false }, pair.Seed, pair.Part, isQuick ? QuickRequests : null, data, cancellationToken);
        Interlocked.Increment(ref _finished);
    }

    private static IEnumerable<int> SeedsOf(ScenarioExperiment experiment, bool isQuick) =>
        isQuick ? experiment.Seeds.Distinct().Take(QuickSeeds) : experiment.Seeds.Distinct();

    private IEnumerable<ScenarioResult> ResultsOf(Planned planned) => planned.Experiment.Claims.Select(claim => new ScenarioResult
    {
        File = planned.File,
        Experiment = planned.Experiment,
        Claim = claim,
        Missing = data.MissingFor(planned.Experiment.Workload),
        Pairs = [.. planned.Pairs.Select(pair => (ScenarioMetrics.Of(claim.Metric, pair.Figures[0]), ScenarioMetrics.Of(claim.Metric, pair.Figures[1])))],
        Bests = planned.Experiment.Best is null ? [] : [.. planned.Pairs.Select(pair => ScenarioMetrics.Of(claim.Metric, pair.Figures[2]))],
    });

    /// <summary>An experiment and its runs; none where it is skipped.</summary>
    private sealed record Planned(ScenarioFile File, ScenarioExperiment Experiment, Pair[] Pairs);

    /// <summary>The policies under one seed.</summary>
    private sealed class Pair(ScenarioExperiment experiment, int seed, int part)
    {
        public ScenarioExperiment Experiment { get; } = experiment;

        public int Seed { get; } = seed;

        public int Part { get; } = part;

        /// <summary>One per policy, in the order of <see cref="PoliciesOf"/>.</summary>
        public ScenarioFigures[] Figures { get; } = new ScenarioFigures[PoliciesOf(experiment).Length];
    }
}
