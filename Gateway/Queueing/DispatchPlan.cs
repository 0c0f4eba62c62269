using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>What a dispatcher follows; swapped whole on reload.</summary>
/// <param name="Queue">Limits on waiting.</param>
/// <param name="Routing">How long affinities are believed.</param>
/// <param name="Order">Who goes first within a class.</param>
/// <param name="Admission">Who may go at all.</param>
public sealed record DispatchPlan(QueueOptions Queue, RoutingOptions Routing, IQueueOrder Order, IAdmissionRule Admission)
{
    /// <summary>Says where another policy would have put each request; null: nobody asks. Used under the dispatcher's lock only.</summary>
    public Router? Shadow { get; init; }

    /// <summary>The order of that policy; null: nobody asks.</summary>
    public IQueueOrder? ShadowOrder { get; init; }
}
