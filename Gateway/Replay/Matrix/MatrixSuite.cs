using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Simulation;

namespace Gateway.Replay.Matrix;

/// <summary>A workload of a matrix that was found, with its engine.</summary>
/// <param name="Workload">As written.</param>
/// <param name="Trace">Where it really is.</param>
/// <param name="Profile">What each engine is.</param>
public sealed record MatrixSource(MatrixWorkload Workload, string Trace, EngineProfile Profile);

/// <summary>Runs a matrix, one run at a time. The results depend on the file alone.</summary>
/// <param name="file">Checked.</param>
/// <param name="sources">The workloads that were found.</param>
public sealed class MatrixSuite(MatrixFile file, IReadOnlyList<MatrixSource> sources)
{
    // All of a workload in the first milliseconds: then the fleet is never without work until the end.
    private const double AtOnce = 1e6;

    private int _finished;

    /// <summary>Runs that are done.</summary>
    public int Finished => Volatile.Read(ref _finished);

    /// <summary>The cells in the order of the file, each as soon as it is done.</summary>
    /// <exception cref="TraceException">A workload is damaged.</exception>
    public IEnumerable<MatrixCell> Execute(CancellationToken cancellationToken)
    {
        foreach (var source in sources)
        {
            TraceRequest[][] drawn = [.. Enumerable.Range(file.Seed, file.Seeds).Select(seed => Open(source, seed).Read().ToArray())];
            foreach (var replicas in file.Replicas)
            {
                Fleet[] fleets = [.. drawn.Select((rows, i) => FleetOf(rows, new ReplaySettings { Profile = source.Profile, Replicas = replicas, Seed = file.Seed + i }, cancellationToken))];
                foreach (var load in file.Loads)
                {
                    yield return new MatrixCell
                    {
                        Workload = source.Workload,
                        Replicas = replicas,
                        CapacityPerSecond = fleets.Average(fleet => fleet.CapacityPerSecond),
                        Load = load,
                        Reference = Run(file.Reference, fleets, load, cancellationToken),
                        Baselines = [.. file.Baselines.Select(policy => Run(policy, fleets, load, cancellationToken))],
                    };
                }
            }
        }
    }

    private static ITrace Open(MatrixSource source, int seed) =>
        TraceSource.Open(source.Trace, new TraceSettings { Seed = seed, Limit = source.Workload.Limit, Arrivals = source.Workload.Arrivals });

    private Fleet FleetOf(TraceRequest[] rows, ReplaySettings settings, CancellationToken cancellationToken)
    {
        var endings = new Endings();
        new Replayer(settings, ReplayPolicy.Parse(file.CapacityBy, out _)!, endings).Run(new PacedTrace(rows, AtOnce), cancellationToken);
        Interlocked.Increment(ref _finished);
        return new Fleet(settings, rows, endings.PerSecond());
    }

    private MatrixRow Run(string policy, Fleet[] fleets, double load, CancellationToken cancellationToken) => new(policy, [.. fleets.Select(fleet =>
    {
        var statistics = new RunStatistics(SloLimits.None);
        var trace = new PacedTrace(fleet.Rows, load * fleet.CapacityPerSecond / NativeRate(fleet.Rows));
        new Replayer(fleet.Settings, ReplayPolicy.Parse(policy, out _)!, statistics).Run(trace, cancellationToken);
        Interlocked.Increment(ref _finished);
        return statistics.Summarize();
    })]);

    private static double NativeRate(TraceRequest[] rows) =>
        rows.Length / Math.Max(1e-3, rows[^1].Arrival.TotalSeconds - rows[0].Arrival.TotalSeconds);

    /// <summary>A fleet and what one seed draws for it.</summary>
    private sealed record Fleet(ReplaySettings Settings, TraceRequest[] Rows, double CapacityPerSecond);

    /// <summary>Rows that were read once, with their arrivals scaled.</summary>
    private sealed class PacedTrace(TraceRequest[] rows, double factor) : ITrace
    {
        public string Name => "paced";

        public IEnumerable<TraceRequest> Read() => rows.Select(row => row with { Arrival = (row.Arrival - rows[0].Arrival) / factor });
    }

    /// <summary>How fast a saturated fleet finishes: without the ramp at the start and the emptying at the end. Where the ramp is longer than the rest the fleet
    /// has room for all at once and was never saturated: then they end together, and it is the time that they all took which counts.</summary>
    private sealed class Endings : IRunObserver
    {
        private const double RampShare = 0.1;
        private const double EmptyingShare = 0.2;

        private readonly List<TimeSpan> _ends = [];

        public double PerSecond()
        {
            _ends.Sort();
            var (first, last) = ((int)(RampShare * _ends.Count), (int)((1 - EmptyingShare) * (_ends.Count - 1)));
            var seconds = last > first ? Math.Max((_ends[last] - _ends[first]).TotalSeconds, _ends[first].TotalSeconds) : 0;
            return seconds > 0 ? (last - first) / seconds : throw new TraceException("The workload is too short to find a capacity by.");
        }

        public void OnRequest(in RequestResult result)
        {
            if (result.Outcome == ReplayOutcome.Completed)
            {
                _ends.Add(result.Arrival + result.EndToEnd);
            }
        }

        public void OnSample(in ReplicaSample sample)
        {
        }

        public void OnQueue(in QueueSample sample)
        {
        }

        public void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines)
        {
        }
    }
}
