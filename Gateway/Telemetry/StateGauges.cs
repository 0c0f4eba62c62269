using System.Diagnostics.Metrics;
using Gateway.Queueing;
using Gateway.Queueing.Shadows;
using Gateway.Replicas;

namespace Gateway.Telemetry;

/// <summary>Requests of one class that wait in front of one pool.</summary>
public readonly record struct QueueDepth(string Model, string Priority, int Waiting);

/// <summary>What a model's queue foresees; null where it does not.</summary>
public sealed record ModelSignals(WorkDemand? Demand, Shadow? Shadow);

/// <summary>Gauges read from the live fleet and queues at each scrape: a replica that left is not shown any more.</summary>
public sealed class StateGauges : IDisposable
{
    private readonly Meter _meter;
    private readonly Fleet _fleet;
    private readonly Func<string, ModelSignals?> _signals;

    /// <param name="fleet">Whose replicas are shown.</param>
    /// <param name="queueDepths">Asked at each scrape.</param>
    /// <param name="calibration">Of the length estimates.</param>
    /// <param name="scope">As in <see cref="GatewayMeters"/>.</param>
    /// <param name="redisIsUp">Whether Redis answers; null: there is none, and nothing of it is shown.</param>
    /// <param name="signals">What each model foresees; null: nothing does.</param>
    public StateGauges(
        Fleet fleet, Func<IEnumerable<QueueDepth>> queueDepths, EstimateCalibration calibration, object? scope = null, Func<bool>? redisIsUp = null,
        Func<string, ModelSignals?>? signals = null)
    {
        _meter = new Meter(new MeterOptions(MetricNames.StateMeter) { Scope = scope });
        _fleet = fleet;
        _signals = signals ?? (static _ => null);
        Gauge(MetricNames.QueueDepth, () => queueDepths().Select(depth => new Measurement<long>(
            depth.Waiting, new(MetricNames.Model, depth.Model), new(MetricNames.Priority, depth.Priority))));
        Gauge(MetricNames.ReplicaUp, () => PerReplica(replica => replica.AcceptsWork ? 1 : 0));
        Gauge(MetricNames.ReplicaInflightRequests, () => PerReplica(replica => replica.WithoutPeers().RunningRequests));
        Gauge(MetricNames.ReplicaReservedTokens, () => PerReplica(replica => replica.WithoutPeers().ReservedTokens));
        Gauge(MetricNames.ReplicaKvCapacityTokens, () => PerReplica(replica => replica.CapacityTokens));
        Gauge(MetricNames.LedgerDriftTokens, () => PerReplica(DriftOf));
        Gauge(MetricNames.DesiredReplicas, () => PerModel(queueDepths));
        var regret = MetricNames.ShadowRegret;
        _meter.CreateObservableGauge(regret.Instrument, Regrets, regret.Unit, regret.Help);
        var coverage = MetricNames.EstimateCoverage;
        _meter.CreateObservableGauge(coverage.Instrument, () => Coverage(calibration), coverage.Unit, coverage.Help);
        if (redisIsUp is not null)
        {
            Gauge(MetricNames.RedisUp, () => [new Measurement<long>(redisIsUp() ? 1 : 0)]);
        }
    }

    public void Dispose() => _meter.Dispose();

    /// <summary>Tokens that the ledger has in flight minus those the engine says are in use; null where it does not say.</summary>
    internal static long? DriftOf(ReplicaSnapshot replica) =>
        replica.Report.KvUsage is { } usage && (replica.Report.KvCapacityTokens ?? replica.CapacityTokens) is { } capacity
            ? replica.HeldTokens - (long)Math.Round(usage * capacity)
            : null;

    private IEnumerable<Measurement<long>> PerModel(Func<IEnumerable<QueueDepth>> queueDepths)
    {
        var waiting = queueDepths().GroupBy(depth => depth.Model, StringComparer.Ordinal).ToDictionary(model => model.Key, model => model.Sum(depth => depth.Waiting));
        foreach (var pool in _fleet.Pools)
        {
            var desired = DesiredReplicas.Of(pool, waiting.GetValueOrDefault(pool.Name), _signals(pool.Name)?.Demand);
            yield return new Measurement<long>(desired, new KeyValuePair<string, object?>(MetricNames.Model, pool.Name));
        }
    }

    private IEnumerable<Measurement<double>> Regrets()
    {
        foreach (var pool in _fleet.Pools)
        {
            if (_signals(pool.Name)?.Shadow?.Read() is { Answers: > 0 } reading)
            {
                yield return new Measurement<double>(
                    reading.RegretSeconds, new KeyValuePair<string, object?>(MetricNames.Model, pool.Name), new KeyValuePair<string, object?>(MetricNames.Policy, reading.Policy));
            }
        }
    }

    private IEnumerable<Measurement<double>> Coverage(EstimateCalibration calibration)
    {
        foreach (var pool in _fleet.Pools)
        {
            if (calibration.Read(pool.Name) is { } reading)
            {
                yield return new Measurement<double>(reading.CoverageRatio, new KeyValuePair<string, object?>(MetricNames.Model, pool.Name));
            }
        }
    }

    private IEnumerable<Measurement<long>> PerReplica(Func<ReplicaSnapshot, long?> value)
    {
        foreach (var pool in _fleet.Pools)
        {
            foreach (var replica in pool.ReplicaList)
            {
                if (value(replica.Snapshot()) is { } measured)
                {
                    yield return new Measurement<long>(measured, new(MetricNames.Model, pool.Name), new(MetricNames.Replica, replica.Id));
                }
            }
        }
    }

    private void Gauge(MetricDefinition metric, Func<IEnumerable<Measurement<long>>> read) =>
        _meter.CreateObservableGauge(metric.Instrument, read, metric.Unit, metric.Help);
}
