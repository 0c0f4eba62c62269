using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Simulation;

namespace Gateway.Replay.Scenarios;

/// <summary>One policy of an experiment under one seed. Deterministic.</summary>
internal static class ScenarioRun
{
    /// <param name="experiment">Checked, and its workload is there.</param>
    /// <param name="policy">One of its two.</param>
    /// <param name="floods">Whether the client that is to flood does.</param>
    /// <param name="seed">Of the workload and of the draws among equals: both policies of a pair have the same.</param>
    /// <param name="part">Which part of a file this seed runs, from 0.</param>
    /// <param name="limit">Requests at most; null: all.</param>
    /// <param name="data">Where data files are.</param>
    /// <param name="cancellationToken">Gives the run up.</param>
    /// <exception cref="TraceException">The workload is a file, and damaged.</exception>
    public static ScenarioFigures Execute(
        ScenarioExperiment experiment, string policy, bool floods, int seed, int part, long? limit, DataFiles data, CancellationToken cancellationToken)
    {
        var profile = EngineProfiles.Find(experiment.Fleet.Profile)!;
        var settings = new ReplaySettings
        {
            Profile = experiment.Fleet.KvTokens is { } tokens ? profile with { KvBlocks = tokens / profile.BlockTokens } : profile,
            Replicas = experiment.Fleet.Replicas,
            Speeds = experiment.Fleet.Speeds,
            Seed = seed,
            IgnoresPriorities = experiment.IgnorePriorities,
            Targets = experiment.Slo.Limits.Targets,
        };
        var trace = TraceSource.Open(data.Resolve(experiment.Workload), new TraceSettings
        {
            Seed = seed,
            RateFactor = experiment.Rate,
            Skip = (long)part * (experiment.Requests ?? 0),
            Limit = limit is { } most && experiment.Requests is { } all ? Math.Min(most, all) : limit ?? experiment.Requests,
        });
        var countsFrom = TimeSpan.Zero;
        if (experiment.Flood is { LeadIn: > 0 } begun)
        {
            var led = new LeadInTrace(trace, begun.LeadIn);
            (trace, countsFrom) = (led, led.CountsFrom);
        }
        if (floods && experiment.Flood is { } flood)
        {
            foreach (var client in ClientsOf(flood))
            {
                trace = new FloodedTrace(trace, client, flood.Times, seed, countsFrom);
            }
        }
        var observer = new Observer(new RunStatistics(experiment.Slo.Limits), experiment.Flood is { } flooding ? ClientsOf(flooding) : null, countsFrom);
        var replayer = new Replayer(settings, ReplayPolicy.Parse(policy, out _)!, observer);
        replayer.Run(trace, cancellationToken);
        return observer.Figures() with { Requeued = replayer.Requeued, Interrupted = replayer.Interrupted };
    }

    private static string[] ClientsOf(ScenarioFlood flood) => [flood.Client, .. flood.With];

    /// <summary>Adds to the usual figures what the clients that flood got, and what all others got.</summary>
    private sealed class Observer(RunStatistics statistics, string[]? flooders, TimeSpan countsFrom) : IRunObserver
    {
        private readonly Dictionary<string, List<double>> _clients = new(StringComparer.Ordinal);
        private long _computed;

        public ScenarioFigures Figures()
        {
            var figures = new ScenarioFigures(statistics.Summarize()) { ComputedTokens = _computed };
            if (_clients.Count < 2)
            {
                return figures;
            }
            // Equals go by name, so that the order of the dictionary does not matter.
            var most = flooders ?? [_clients.OrderByDescending(client => client.Value.Count).ThenBy(client => client.Key, StringComparer.Ordinal).First().Key];
            var own = most.SelectMany(client => _clients.GetValueOrDefault(client, [])).ToArray();
            var others = _clients.Where(client => !most.Contains(client.Key, StringComparer.Ordinal)).SelectMany(client => client.Value).Order().ToArray();
            return figures with
            {
                FlooderTimeToFirstToken = own.Length > 0 ? own.Average() : null,
                OthersTimeToFirstToken = others.Length > 0 ? others.Average() : null,
                OthersTimeToFirstTokenP99 = others.Length > 0 ? others[(int)Math.Ceiling(0.99 * others.Length) - 1] : null,
            };
        }

        public void OnRequest(in RequestResult result)
        {
            if (result.Arrival < countsFrom)
            {
                return;
            }
            if (result is { Outcome: ReplayOutcome.Completed, ClientId: { } client })
            {
                if (!_clients.TryGetValue(client, out var times))
                {
                    _clients[client] = times = [];
                }
                times.Add(result.TimeToFirstToken.TotalSeconds);
            }
            statistics.OnRequest(result);
        }

        public void OnSample(in ReplicaSample sample) => statistics.OnSample(sample);

        public void OnQueue(in QueueSample sample) => statistics.OnQueue(sample);

        public void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines)
        {
            _computed = engines.Sum(engine => engine.ProcessedTokens);
            statistics.OnEnd(duration - countsFrom, decisions, engines);
        }
    }
}
