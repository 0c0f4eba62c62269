using Gateway.Configuration;
using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway;

/// <summary>One model: its replicas, what is remembered of them, and the queue in front of them.</summary>
public sealed class ModelPool : IDisposable
{
    private readonly Random _chance;
    private DispatchPlan? _plan;
    private RoutingPlan _routing;

    internal ModelPool(ModelOptions model, FaultLimits faults, GatewayOptions options, TimeProvider time, Random chance)
    {
        _chance = chance;
        Pool = new Pool(model, faults, time);
        Prefixes = new PrefixIndex(options.Routing.Prefix.MaxBytes, time);
        Pool.SlotFreed += Prefixes.Forget;
        (_plan, _routing) = Plans(options);
        var router = new Router(() => Volatile.Read(ref _routing), new Random(chance.Next()));
        Dispatcher = new Dispatcher(Pool, Prefixes, () => Volatile.Read(ref _plan)!, router, time);
    }

    public Pool Pool { get; }

    public PrefixIndex Prefixes { get; }

    public Dispatcher Dispatcher { get; }

    internal void Apply(ModelOptions model, FaultLimits faults, GatewayOptions options)
    {
        Pool.Reconfigure(model, faults);
        Prefixes.SetMaxBytes(options.Routing.Prefix.MaxBytes);
        var (plan, routing) = Plans(options);
        Volatile.Write(ref _plan, plan);
        Volatile.Write(ref _routing, routing);
    }

    public void Dispose() => Dispatcher.Dispose();

    private (DispatchPlan Plan, RoutingPlan Routing) Plans(GatewayOptions options)
    {
        var isPlain = options.Mode == GatewayMode.Plain;
        var routing = isPlain ? options.Routing with { Policy = "least_requests", Scorers = [] } : options.Routing;
        var queue = isPlain ? options.Queue with { Order = "fcfs", Fairness = FairnessMode.Off, Rescue = RescueMode.Own, Preempt = PreemptMode.Off, Admission = "none", SiblingWait = TimeSpan.Zero, RefuseLate = false, HardTtftSlo = false } : options.Queue;
        // An order that keeps account keeps it over a reload that does not touch the queue.
        var order = _plan is { } before && before.Queue == queue ? before.Order : QueueOrders.Create(queue, new CachedPrompts(Prefixes, routing));
        var plan = new DispatchPlan(queue, routing, order, AdmissionRules.Create(queue.Admission, queue.WindowRequests, queue.SteersCapacityShare));
        return (plan, RoutingPolicies.Plan(routing, new Random(_chance.Next())));
    }
}
