using Gateway.Estimation;
using Gateway.Queueing.Orders;
using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Configuration;

/// <summary>The names that a file may use where a setting picks an implementation; each list comes from its room's table.</summary>
public sealed record KnownNames
{
    /// <summary>Values of <c>routing.policy</c>.</summary>
    public IReadOnlyList<string> Policies { get; init; } = [.. RoutingPolicies.Names];

    /// <summary>Values of <c>routing.scorers[].name</c>.</summary>
    public IReadOnlyList<string> Scorers { get; init; } = [.. RoutingPolicies.ScorerNames];

    /// <summary>Values of <c>queue.order</c>.</summary>
    public IReadOnlyList<string> Orders { get; init; } = [.. QueueOrders.Names];

    /// <summary>Values of <c>queue.admission</c>.</summary>
    public IReadOnlyList<string> Admissions { get; init; } = [.. AdmissionRules.Names];

    /// <summary>Values of <c>estimation.estimator</c>.</summary>
    public IReadOnlyList<string> Estimators { get; init; } = [.. OutputLengthEstimators.Names];

    /// <summary>What the setting picks and from which names; null where any text is allowed.</summary>
    /// <param name="path">The setting's path without list positions, as in <c>routing.scorers.name</c>.</param>
    internal (string Noun, IReadOnlyList<string> Names)? For(string path) => path switch
    {
        "routing.policy" or "routing.shadow.policy" => ("policy", Policies),
        "routing.scorers.name" => ("scorer", Scorers),
        "queue.order" or "routing.shadow.order" => ("order", Orders),
        "queue.admission" or "routing.shadow.admission" => ("admission rule", Admissions),
        "estimation.estimator" => ("estimator", Estimators),
        _ => null,
    };
}
