using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Coordination;

/// <summary>One model's replicas, and what is remembered of them: what gateways share of it.</summary>
public sealed record SharedPool(Pool Pool, PrefixIndex Prefixes);
