using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>Says what a request needs at least, so that one that must come too late is told at once. Guarded by its dispatcher's lock.</summary>
internal sealed class DeadlineCheck(Pool pool, PrefixIndex prefixes)
{
    private Candidate[] _candidates = new Candidate[16];

    /// <summary>Seconds from being sent until a wish is met at the replica that is quickest for it, at least.</summary>
    /// <param name="request">The request.</param>
    /// <param name="estimate">What it is expected to cost.</param>
    /// <param name="constraints">Which replicas may answer.</param>
    /// <param name="plan">How long prefixes are believed; which wishes bind.</param>
    /// <returns>What is left of the time from arrival once the least service is taken off; null: no wish binds.</returns>
    public TimeSpan? LatestStart(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, DispatchPlan plan)
    {
        var slo = plan.Queue.HardTtftOf(request);
        if (request.Deadline is null && slo is null)
        {
            return null;
        }
        var least = plan.Queue.RefuseLate ? LeastService(request, estimate, constraints, plan) : default;
        var end = request.Deadline - TimeSpan.FromSeconds(least.AnswerSeconds);
        var first = slo - TimeSpan.FromSeconds(least.FirstTokenSeconds);
        return end is null || first < end ? first : end;
    }

    private Forecast LeastService(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, DispatchPlan plan)
    {
        var count = 0;
        foreach (var replica in pool.Replicas)
        {
            // One that backs off or was not probed yet may be back before the deadline.
            if (constraints.Allows(replica) && replica.Health is (ReplicaHealth.Up or ReplicaHealth.BackingOff or ReplicaHealth.Unknown))
            {
                if (count == _candidates.Length)
                {
                    Array.Resize(ref _candidates, 2 * count);
                }
                _candidates[count++] = new Candidate { Replica = replica.Snapshot() };
            }
        }
        if (count == 0)
        {
            return default;
        }
        prefixes.Match(request, estimate.PromptTokens, plan.Routing, _candidates.AsSpan(0, count));
        var least = new Forecast(double.PositiveInfinity, double.PositiveInfinity);
        foreach (ref readonly var candidate in _candidates.AsSpan(0, count))
        {
            var there = Forecast.Least(candidate, estimate);
            least = new Forecast(Math.Min(least.FirstTokenSeconds, there.FirstTokenSeconds), Math.Min(least.AnswerSeconds, there.AnswerSeconds));
        }
        return least;
    }
}
