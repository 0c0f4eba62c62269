using Gateway.Estimation;
using Gateway.Replicas;

namespace Gateway.Routing;

/// <summary>Work ahead of the request: prompt tokens not yet computed and output tokens still expected, in seconds at the replica's speed.</summary>
public sealed class OutstandingWorkScorer : IReplicaScorer
{
    public string Name => "outstanding_work";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        for (var i = 0; i < candidates.Length; i++)
        {
            seconds[i] = Of(candidates[i].Replica);
        }
    }

    internal static double Of(in ReplicaSnapshot replica) =>
        ((replica.QueuedPrefillTokens * ServiceTime.PrefillSecondsPerToken)
        + (replica.OutstandingTokens * ServiceTime.DecodeSecondsPerToken)) / replica.Weight;
}

/// <summary>Prefill that the request still needs at the replica: its prompt less what the replica's prefix cache is believed to hold.</summary>
/// <param name="overload">A holder whose outstanding work exceeds the least by more than this gets no credit: an overloaded favourite is passed over.</param>
public sealed class PrefixScorer(TimeSpan overload) : IReplicaScorer
{
    public string Name => "prefix";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        var limit = Overload.LimitSeconds(candidates, overload);
        for (var i = 0; i < candidates.Length; i++)
        {
            var hit = OutstandingWorkScorer.Of(candidates[i].Replica) <= limit ? candidates[i].PrefixHitTokens : 0;
            var uncached = Math.Max(0, query.Estimate.PromptTokens - hit);
            seconds[i] = uncached * ServiceTime.PrefillSecondsPerToken / candidates[i].Replica.Weight;
        }
    }
}

/// <summary>Keeps a session at the replica that answered it before, until that one's outstanding work exceeds the least by more than the overload.</summary>
/// <param name="overload">How much more work the favourite may have ahead; beyond that it gets no credit.</param>
/// <param name="onlyWithoutHits">Silent where some candidate holds a part of the prompt: then what is really cached decides.</param>
/// <remarks>Going elsewhere costs the overload and the prefill of the whole prompt: together more than the favourite can be behind in work and in prefix hits.</remarks>
public sealed class SessionScorer(TimeSpan overload, bool onlyWithoutHits = false) : IReplicaScorer
{
    public string Name => "session";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        seconds.Clear();
        if (onlyWithoutHits && AnyHit(candidates))
        {
            return;
        }
        var limit = Overload.LimitSeconds(candidates, overload);
        for (var i = 0; i < candidates.Length; i++)
        {
            if (candidates[i].HoldsSession && !(onlyWithoutHits && candidates[i].Replica.Report.CachesPrefixes == false) && OutstandingWorkScorer.Of(candidates[i].Replica) <= limit)
            {
                var prefill = Math.Max(1, query.Estimate.PromptTokens) * ServiceTime.PrefillSecondsPerToken / candidates[i].Replica.Weight;
                seconds.Fill(overload.TotalSeconds + prefill);
                seconds[i] = 0;
                return;
            }
        }
    }

    private static bool AnyHit(ReadOnlySpan<Candidate> candidates)
    {
        foreach (ref readonly var candidate in candidates)
        {
            if (candidate.PrefixHitTokens > 0)
            {
                return true;
            }
        }
        return false;
    }
}

/// <summary>Where affinity ends.</summary>
internal static class Overload
{
    /// <summary>Outstanding work in seconds beyond which a favourite gets no credit.</summary>
    public static double LimitSeconds(ReadOnlySpan<Candidate> candidates, TimeSpan overload)
    {
        var least = double.PositiveInfinity;
        foreach (ref readonly var candidate in candidates)
        {
            least = Math.Min(least, OutstandingWorkScorer.Of(candidate.Replica));
        }
        return least + overload.TotalSeconds;
    }
}

/// <summary>Tokens in the ledger, prompt and expected output alike.</summary>
public sealed class LeastTokensScorer : IReplicaScorer
{
    public string Name => "least_tokens";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        for (var i = 0; i < candidates.Length; i++)
        {
            seconds[i] = candidates[i].Replica.ReservedTokens * ServiceTime.DecodeSecondsPerToken / candidates[i].Replica.Weight;
        }
    }
}

/// <summary>Requests in flight: nginx's <c>least_conn</c>, blind to how long they are.</summary>
public sealed class LeastRequestsScorer : IReplicaScorer
{
    public string Name => "least_requests";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        for (var i = 0; i < candidates.Length; i++)
        {
            seconds[i] = candidates[i].Replica.RunningRequests / candidates[i].Replica.Weight;
        }
    }
}

/// <summary>Every candidate alike: the router's draw among equals decides.</summary>
public sealed class RandomScorer : IReplicaScorer
{
    public string Name => "random";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds) => seconds.Clear();
}

/// <summary>The replica whose last turn is longest ago.</summary>
public sealed class RoundRobinScorer : IReplicaScorer
{
    public string Name => "round_robin";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        for (var i = 0; i < candidates.Length; i++)
        {
            seconds[i] = candidates[i].LastChosen;
        }
    }
}

/// <summary>Two candidates drawn, the one with fewer requests in flight wins (Mitzenmacher, 2001).</summary>
public sealed class PowerOfTwoScorer(Random chance) : IReplicaScorer
{
    public string Name => "power_of_two";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        seconds.Fill(double.MaxValue / 4);
        var first = chance.Next(candidates.Length);
        var second = candidates.Length == 1 ? first : (first + 1 + chance.Next(candidates.Length - 1)) % candidates.Length;
        seconds[first] = candidates[first].Replica.RunningRequests;
        seconds[second] = candidates[second].Replica.RunningRequests;
    }
}
