using Gateway.Routing.Peers;

namespace Gateway.Routing;

/// <summary>The table of names: a new policy or scorer is one class and one line here.</summary>
public static class RoutingPolicies
{
    /// <summary>The policy that a configuration has unless it names another.</summary>
    public const string Default = "least_delay";

    private static readonly Dictionary<string, Func<RoutingOptions, Random, IReplicaScorer[]>> Policies = new()
    {
        ["least_delay"] = (options, _) => [new AddedDelayScorer(), new SessionScorer(options.OverloadSeconds, onlyWithoutHits: true)],
        ["least_work"] = (options, _) => Affine(options, new OutstandingWorkScorer()),
        ["sticky"] = (options, _) => [new OutstandingWorkScorer(), new SessionScorer(options.OverloadSeconds)],
        ["least_tokens"] = (_, _) => [new LeastTokensScorer()],
        ["least_requests"] = (_, _) => [new LeastRequestsScorer()],
        ["round_robin"] = (_, _) => [new RoundRobinScorer()],
        ["random"] = (_, _) => [new RandomScorer()],
        ["power_of_two"] = (_, chance) => [new PowerOfTwoScorer(chance)],
        ["lmetric"] = (_, _) => [new LMetricScorer()],
        ["sal"] = (_, _) => [new SalScorer()],
        ["freeness"] = (_, _) => [new FreenessScorer()],
        ["cache_aware"] = (_, _) => [new CacheAwareScorer()],
        ["least_load"] = (_, _) => [new SmgLeastLoadScorer()],
        ["dynamo"] = (_, _) => [new DynamoScorer()],
        ["llm_d"] = (_, _) => [new LlmDScorer()],
        ["preble"] = (_, _) => [new PrebleScorer()],
        ["chwbl"] = (_, _) => [new BoundedHashScorer()],
    };

    // The others count, draw or rank: their costs compare with each other and with nothing else.
    private static readonly HashSet<string> TimePolicies = ["least_delay", "least_work", "sticky", "least_tokens", "sal", "dynamo"];

    // What these choose must not be put down to a cache, or to a session, that they did not look at.
    private static readonly HashSet<string> IgnorePrefixes =
        ["sticky", "least_tokens", "least_requests", "round_robin", "random", "power_of_two", "freeness", "least_load", "chwbl", "outstanding_work", "session"];

    private static readonly HashSet<string> HeedSessions = ["least_delay", "least_work", "sticky", "session"];

    private static readonly Dictionary<string, Func<RoutingOptions, IReplicaScorer>> ScorersByName = new()
    {
        ["added_delay"] = _ => new AddedDelayScorer(),
        ["outstanding_work"] = _ => new OutstandingWorkScorer(),
        ["prefix"] = options => new PrefixScorer(options.OverloadSeconds),
        ["session"] = options => new SessionScorer(options.OverloadSeconds),
    };

    /// <summary>Names that <c>routing.policy</c> takes.</summary>
    public static IReadOnlyCollection<string> Names => Policies.Keys;

    /// <summary>Names that <c>routing.scorers[].name</c> takes.</summary>
    public static IReadOnlyCollection<string> ScorerNames => ScorersByName.Keys;

    /// <summary>The plan of a configuration whose names were checked.</summary>
    /// <param name="options">Policy, or a mix of scorers that takes its place.</param>
    /// <param name="chance">For the policies that draw; guarded by the router's caller.</param>
    /// <exception cref="KeyNotFoundException">An unknown name: the loader should have refused it.</exception>
    public static RoutingPlan Plan(RoutingOptions options, Random chance)
    {
        string[] names = options.Scorers.Count > 0 ? [.. options.Scorers.Where(scorer => scorer.Weight > 0).Select(scorer => scorer.Name)] : [options.Policy];
        WeightedScorer[] scorers = options.Scorers.Count > 0
            ? [.. options.Scorers.Select(scorer => new WeightedScorer(ScorersByName[scorer.Name](options), scorer.Weight))]
            : [.. Policies[options.Policy](options, chance).Select(scorer => new WeightedScorer(scorer, 1))];
        return new(scorers)
        {
            WaitsForFavourite = options.Scorers.Count == 0 && options.Policy == Default,
            IgnoresPrefixes = names.All(IgnorePrefixes.Contains),
            IgnoresSessions = !names.Any(HeedSessions.Contains),
        };
    }

    /// <summary>Whether the costs are times, in seconds.</summary>
    public static bool CostsAreSeconds(RoutingOptions options) => options.Scorers.Count > 0 || TimePolicies.Contains(options.Policy);

    private static IReplicaScorer[] Affine(RoutingOptions options, IReplicaScorer load) => options.Prefix.Enabled
        ? [load, new PrefixScorer(options.OverloadSeconds), new SessionScorer(options.OverloadSeconds)]
        : [load, new SessionScorer(options.OverloadSeconds)];
}
