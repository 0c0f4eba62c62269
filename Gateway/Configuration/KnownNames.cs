namespace Gateway.Configuration;

/// <summary>The names that a file may use where a setting picks an implementation; each list comes from its room's table.</summary>
public sealed record KnownNames
{
    /// <summary>Values of <c>routing.policy</c>.</summary>
    public IReadOnlyList<string> Policies { get; init; } = ["least_work", "least_tokens", "least_requests", "round_robin", "random", "power_of_two"];

    /// <summary>Values of <c>routing.scorers[].name</c>.</summary>
    public IReadOnlyList<string> Scorers { get; init; } = ["outstanding_work", "prefix", "session"];

    /// <summary>Values of <c>queue.order</c>.</summary>
    public IReadOnlyList<string> Orders { get; init; } = ["fcfs"];

    /// <summary>Values of <c>estimation.estimator</c>.</summary>
    public IReadOnlyList<string> Estimators { get; init; } = ["running", "constant"];

    /// <summary>What the setting picks and from which names; null where any text is allowed.</summary>
    /// <param name="path">The setting's path without list positions, as in <c>routing.scorers.name</c>.</param>
    internal (string Noun, IReadOnlyList<string> Names)? For(string path) => path switch
    {
        "routing.policy" => ("policy", Policies),
        "routing.scorers.name" => ("scorer", Scorers),
        "queue.order" => ("order", Orders),
        "estimation.estimator" => ("estimator", Estimators),
        _ => null,
    };
}
