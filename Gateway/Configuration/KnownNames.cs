using Gateway.Estimation;
using Gateway.Queueing.Orders;
using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Configuration;

/// <summary>The names that a file may use where a setting picks an implementation; each list is its room's own table.</summary>
internal static class KnownNames
{
    /// <summary>What the setting picks and from which names; null where any text is allowed.</summary>
    /// <param name="path">The setting's path without list positions, as in <c>routing.scorers.name</c>.</param>
    public static (string Noun, IReadOnlyCollection<string> Names)? For(string path) => path switch
    {
        "routing.policy" or "routing.shadow.policy" => ("policy", RoutingPolicies.Names),
        "routing.scorers.name" => ("scorer", RoutingPolicies.ScorerNames),
        "queue.order" or "routing.shadow.order" => ("order", QueueOrders.Names),
        "queue.admission" or "routing.shadow.admission" => ("admission rule", AdmissionRules.Names),
        "estimation.estimator" => ("estimator", OutputLengthEstimators.Names),
        _ => null,
    };
}
