using Gateway.Configuration;
using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Queueing.Shadows;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway;

/// <summary>One model: its replicas, what is remembered of them, and the queue in front of them.</summary>
public sealed class ModelPool : IDisposable
{
    private readonly Random _chance;
    private readonly TimeProvider _time;
    private DispatchPlan? _plan;
    private RoutingPlan _routing;
    private Shadow? _shadow;

    internal ModelPool(ModelOptions model, FaultLimits faults, GatewayOptions options, TimeProvider time, Random chance)
    {
        (_chance, _time) = (chance, time);
        Pool = new Pool(model, faults, time);
        Prefixes = new PrefixIndex(options.Routing.Prefix.MaxBytes, time);
        Pool.SlotFreed += Prefixes.Forget;
        Pool.SlotRestarted += Prefixes.ForgetBlocks;
        (_plan, _routing) = Plans(options);
        Demand = new WorkDemand(Pool, time, () => Volatile.Read(ref _plan)!.Queue is { Admission: "window" } queue ? queue.WindowRequests : null);
        var router = new Router(() => Volatile.Read(ref _routing), new Random(chance.Next()));
        Dispatcher = new Dispatcher(Pool, Prefixes, () => Volatile.Read(ref _plan)!, router, time);
    }

    public Pool Pool { get; }

    public PrefixIndex Prefixes { get; }

    public Dispatcher Dispatcher { get; }

    /// <summary>How much work comes.</summary>
    public WorkDemand Demand { get; }

    /// <summary>The second policy that only says what it would do; null: none is configured. Another one after a reload that changes either policy.</summary>
    public Shadow? Shadow => Volatile.Read(ref _shadow);

    /// <summary>A request came that will ask for its turn.</summary>
    /// <param name="request">The request.</param>
    /// <param name="estimate">What it is expected to cost.</param>
    /// <returns>To be told how long the answer was, and disposed when the request has ended; null without a second policy.</returns>
    public ShadowedRequest? OnArrived(InferenceRequest request, in RequestEstimate estimate)
    {
        Demand.OnArrived(estimate);
        return Shadow?.OnArrived(request, estimate);
    }

    /// <summary>Its turn was decided.</summary>
    public void OnDecided(in RequestEstimate estimate, in AdmissionResult decided)
    {
        if (decided.Reservation is not null)
        {
            Demand.OnPlaced(estimate, decided.PrefixHitTokens);
            Shadow?.OnDecided(decided);
        }
    }

    /// <summary>An engine told what it found of a prompt in its cache: it corrects what the index of prefixes believes of its replica.</summary>
    /// <param name="replica">The replica.</param>
    /// <param name="promptTokens">Tokens of the prompt, as the engine counts them.</param>
    /// <param name="believedTokens">What the choice went by.</param>
    /// <param name="believedAge">How long before that part was sent there.</param>
    /// <param name="cachedTokens">What the engine found.</param>
    public void OnReported(Replica replica, int promptTokens, int believedTokens, TimeSpan believedAge, int cachedTokens)
    {
        // If the replica left the pool meanwhile, its slot may belong to another one.
        if (Pool.Find(replica.Id) == replica)
        {
            Prefixes.OnReported(replica.Slot, promptTokens, believedTokens, believedAge, cachedTokens);
        }
    }

    internal void Apply(ModelOptions model, FaultLimits faults, GatewayOptions options)
    {
        Pool.Reconfigure(model, faults);
        Prefixes.SetMaxBytes(options.Routing.Prefix.MaxBytes);
        var before = _plan!;
        var (plan, routing) = Plans(options);
        if (_shadow is null || before.Queue != plan.Queue || before.Routing != plan.Routing)
        {
            Interlocked.Exchange(ref _shadow, ShadowOf(plan.Routing, plan.Queue))?.Dispose();
        }
        Volatile.Write(ref _plan, plan);
        Volatile.Write(ref _routing, routing);
    }

    public void Dispose()
    {
        Dispatcher.Dispose();
        Shadow?.Dispose();
    }

    private (DispatchPlan Plan, RoutingPlan Routing) Plans(GatewayOptions options)
    {
        var (routing, queue) = (options.InForce().Routing, options.InForce().Queue);
        // Fair orders remember what each tenant was served: a reload that leaves the queue as it is keeps that memory.
        var order = _plan is { } before && before.Queue == queue ? before.Order : OrderOf(InForce, queue, Pool, Prefixes);
        var plan = PlanOf(routing, queue, order) with { Shadow = ShadowRouter(routing), ShadowOrder = routing.Shadow.IsOn ? OrderOf(InForce, QueueOf(routing, queue), Pool, Prefixes) : null };
        return (plan, RoutingPolicies.Plan(routing, new Random(_chance.Next())));
    }

    private RoutingOptions InForce() => Volatile.Read(ref _plan)!.Routing;

    private static DispatchPlan PlanOf(RoutingOptions routing, QueueOptions queue, IQueueOrder order) =>
        new(queue, routing, order, AdmissionRules.Create(queue.Admission, queue.WindowRequests, queue.SteersCapacityShare));

    // An order that is kept over a reload goes by the settings that came with it.
    private static IQueueOrder OrderOf(Func<RoutingOptions> routing, QueueOptions queue, Pool pool, PrefixIndex prefixes) =>
        QueueOrders.Create(queue, new CachedPrompts(new HeldPrompts(pool, prefixes), prefixes, routing));

    private static Router? ShadowRouter(RoutingOptions routing)
    {
        if (!routing.Shadow.IsOn)
        {
            return null;
        }
        var plan = RoutingPolicies.Plan(RoutingOf(routing), new Random(routing.Seed));
        return new Router(() => plan, new Random(routing.Seed));
    }

    private Shadow? ShadowOf(RoutingOptions routing, QueueOptions queue)
    {
        if (!routing.Shadow.IsOn)
        {
            return null;
        }
        var (otherRouting, otherQueue) = (RoutingOf(routing), QueueOf(routing, queue));
        var name = $"{otherRouting.PolicyName}/{otherQueue.Order}/{otherQueue.Admission}";
        var policies = new ShadowPolicies(name, World(routing, queue), World(otherRouting, otherQueue), routing.Prefix.MaxBytes);
        return new Shadow(Pool, policies, _time, new Random(routing.Seed));
    }

    private static RoutingOptions RoutingOf(RoutingOptions routing) =>
        routing.Shadow.Policy is { } policy ? routing with { Policy = policy, Scorers = [] } : routing;

    private static QueueOptions QueueOf(RoutingOptions routing, QueueOptions queue) =>
        queue with { Order = routing.Shadow.Order ?? queue.Order, Admission = routing.Shadow.Admission ?? queue.Admission };

    private static Func<Pool, PrefixIndex, ShadowPlans> World(RoutingOptions routing, QueueOptions queue) =>
        (pool, prefixes) => new ShadowPlans(PlanOf(routing, queue, OrderOf(() => routing, queue, pool, prefixes)), RoutingPolicies.Plan(routing, new Random(routing.Seed)));
}
