using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>Ranks those who wait by what is left to compute of their prompts: what a replica holds of one costs no engine time. That changes with each placement, so
/// that whoever is next is looked up again, and with each turn some of the others. Guarded by its dispatcher's lock.</summary>
/// <param name="pool">The replicas.</param>
/// <param name="waiting">Who waits.</param>
/// <param name="prefixes">What the replicas hold.</param>
/// <param name="router">Says whether requests are sent to where their prompts are held.</param>
internal sealed class PrefixRanks(Pool pool, ClassQueues waiting, PrefixIndex prefixes, Router router)
{
    // Of those whose beginnings were thrown out of the caches since they were looked up. Beyond these whoever is next then will do.
    private const int MostNext = 4;

    // More find little more, and each costs a walk along a prompt (config/matrix/README.md).
    private const int LooksPerTurn = 2;

    private readonly HeldPrompts _held = new(pool, prefixes);
    private uint _round;

    /// <summary>Whether what is cached counts.</summary>
    public bool Heeds(DispatchPlan plan) => plan.Routing.Prefix.Enabled && router.HeedsPrefixes;

    /// <summary>Gives a request that is not in the queue its key.</summary>
    public void Rank(Waiter waiter, DispatchPlan plan)
    {
        if (Heeds(plan))
        {
            LookUp(waiter, plan);
        }
        (waiter.Rank, waiter.RankedBy) = (RankOf(waiter, plan), plan.Order);
    }

    /// <summary>Whose turn it is; null when nobody waits but pinned ones.</summary>
    public Waiter? Next(DispatchPlan plan, TimeSpan now)
    {
        var next = waiting.Next(plan.Order, now);
        for (var looks = 0; looks < MostNext && next is not null && Heeds(plan); looks++)
        {
            var before = next.Rank;
            Refresh(next, plan);
            if (next.Rank <= before)
            {
                return next;
            }
            next = waiting.Next(plan.Order, now);
        }
        return next;
    }

    /// <summary>Looks at some of those who are not next: what was placed meanwhile may have brought the beginnings of their prompts.</summary>
    public void OnTurn(DispatchPlan plan)
    {
        for (var looks = 0; looks < LooksPerTurn && Heeds(plan) && waiting.At(_round++) is { } waiter; looks++)
        {
            Refresh(waiter, plan);
        }
    }

    /// <summary>Prompt tokens that one of the replicas holds which take work, but for those that a request avoids.</summary>
    public int CachedTokens(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, DispatchPlan plan) =>
        _held.MostTokens(request, estimate.PromptTokens, plan.Routing, constraints.Avoid);

    // One that gave up its place keeps where it stood, and keys of an order that is in force no more do not compare with this one's.
    private void Refresh(Waiter waiter, DispatchPlan plan)
    {
        if (waiter.Constraints.GaveUp is null && waiter.RankedBy == plan.Order && LookUp(waiter, plan))
        {
            waiting.Rekey(waiter, RankOf(waiter, plan));
        }
    }

    // Whether more, or less, is held of its prompt than when it was looked up last.
    private bool LookUp(Waiter waiter, DispatchPlan plan)
    {
        var (version, before) = (prefixes.Version, waiter.CachedTokens);
        if (waiter.LookedUpAt == version)
        {
            return false;
        }
        waiter.LookedUpAt = version;
        waiter.CachedTokens = CachedTokens(waiter.Request, waiter.Estimate, waiter.Constraints, plan);
        return waiter.CachedTokens != before;
    }

    private static double RankOf(Waiter waiter, DispatchPlan plan) =>
        plan.Order.Rank(waiter.Request, waiter.Remaining, waiter.ArrivedAt);
}
