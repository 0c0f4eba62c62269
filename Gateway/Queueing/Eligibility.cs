using Gateway.Estimation;
using Gateway.Replicas;

namespace Gateway.Queueing;

/// <summary>Which replicas could serve a request at all, whatever room they have now: whether waiting can help it, and what for. Keeps nothing; looks at the fleet as it is.</summary>
internal sealed class Eligibility(Pool pool)
{
    /// <summary>Whether a replica that can answer takes work now, will by itself within its back-off, or is about to be probed for the first time: a reload
    /// that brings new replicas holds requests for that moment instead of refusing them.</summary>
    public bool AnyMayWork(Waiter waiter)
    {
        foreach (var replica in pool.Replicas)
        {
            if (waiter.Constraints.Allows(replica) && replica.HealthFor(waiter.Request.Route.IsRead) is (ReplicaHealth.Up or ReplicaHealth.BackingOff or ReplicaHealth.Unknown))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Whether a replica that can answer takes work now, were there room.</summary>
    public bool AnyTakesWork(Waiter waiter)
    {
        foreach (var replica in pool.Replicas)
        {
            if (waiter.Constraints.Allows(replica) && replica.HealthFor(waiter.Request.Route.IsRead) == ReplicaHealth.Up)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>The replica that will soonest have room for a request: of those that work and could hold it, the one with the least given out. Null: none.</summary>
    public Replica? Emptiest(Waiter waiter)
    {
        Replica? emptiest = null;
        var least = long.MaxValue;
        foreach (var replica in pool.Replicas)
        {
            var now = replica.Snapshot();
            if (waiter.Constraints.Allows(replica) && now.AcceptsWork && replica.CouldFit(waiter.Estimate.LeastPromptTokens) && now.ReservedTokens < least)
            {
                (emptiest, least) = (replica, now.ReservedTokens);
            }
        }
        return emptiest;
    }

    /// <summary>Whether an empty replica could hold the request.</summary>
    public bool AnyCouldFit(in RequestEstimate estimate, Constraints constraints)
    {
        foreach (var replica in pool.Replicas)
        {
            if (constraints.Allows(replica) && replica.CouldFit(estimate.LeastPromptTokens))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Whether the one replica that can answer has left; never where any can.</summary>
    public bool HasLeft(Constraints constraints) => constraints.Pinned is { } holder && !pool.Replicas.Contains(holder);

    /// <summary>Until a replica may take work again by the passing of time alone; null: no such replica.</summary>
    /// <param name="asOf">Timestamp from which the time counts; null: now.</param>
    public TimeSpan? TimeUntilRetry(long? asOf = null)
    {
        TimeSpan? soonest = null;
        foreach (var replica in pool.Replicas)
        {
            if (replica.TimeUntilRetry(asOf) is { } pause && (soonest is null || pause < soonest))
            {
                soonest = pause;
            }
        }
        return soonest;
    }

    /// <summary>Whether a replica that did not just fail works and could hold the request: a full one is waited for rather than that one tried once more.</summary>
    public bool AnyOtherWorks(Constraints constraints, int leastPromptTokens)
    {
        foreach (var replica in pool.Replicas)
        {
            if (constraints.Allows(replica) && !constraints.Avoid.Contains(replica) && replica.CouldFit(leastPromptTokens) && replica.Health == ReplicaHealth.Up)
            {
                return true;
            }
        }
        return false;
    }
}
