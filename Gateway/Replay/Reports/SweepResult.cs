namespace Gateway.Replay.Reports;

/// <summary>One run of a sweep.</summary>
/// <param name="OfferedRate">Requests per second that the workload brings.</param>
/// <param name="Summary">What came of it.</param>
public sealed record SweepPoint(double OfferedRate, RunSummary Summary);

/// <summary>The highest offered rate that keeps a bound.</summary>
/// <param name="Rate">Requests per second, linear between the runs on both sides of the bound.</param>
/// <param name="IsAtLeast">The highest rate of the sweep still kept the bound: the true limit lies above.</param>
public readonly record struct RateAtBound(double Rate, bool IsAtLeast);

/// <summary>One policy under rising load.</summary>
public sealed class SweepResult
{
    /// <param name="policy">The policy's name.</param>
    /// <param name="points">One run per rate, in any order.</param>
    public SweepResult(string policy, IEnumerable<SweepPoint> points)
    {
        Policy = policy;
        Points = [.. points.OrderBy(point => point.OfferedRate)];
    }

    public string Policy { get; }

    /// <summary>By rising rate.</summary>
    public IReadOnlyList<SweepPoint> Points { get; }

    /// <summary>Throughput at a latency bound: the largest rate from which on the bound is broken.</summary>
    /// <param name="latency">A latency of a run in seconds, such as its p99 TTFT.</param>
    /// <param name="boundSeconds">What it may be at most.</param>
    /// <returns>Null where no run kept the bound.</returns>
    public RateAtBound? RateWithin(Func<RunSummary, double> latency, double boundSeconds)
    {
        for (var i = Points.Count - 1; i >= 0; i--)
        {
            var kept = latency(Points[i].Summary);
            if (!(kept <= boundSeconds))
            {
                continue;
            }
            if (i == Points.Count - 1)
            {
                return new RateAtBound(Points[i].OfferedRate, IsAtLeast: true);
            }
            var broken = latency(Points[i + 1].Summary);
            var way = (boundSeconds - kept) / (broken - kept);
            return new RateAtBound(Points[i].OfferedRate + (way * (Points[i + 1].OfferedRate - Points[i].OfferedRate)), IsAtLeast: false);
        }
        return null;
    }
}
