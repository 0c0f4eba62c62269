using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <summary>Who hears what happens on the way to the engines; nobody, unless set. Called by the requests themselves: quick, never throws.</summary>
public sealed record UpstreamEvents
{
    /// <summary>Makes the observer of one attempt's gaps between tokens, by request, model and replica; null: nobody hears them.</summary>
    public Func<InferenceRequest, string, Replica, ITokenObserver>? Tokens { get; init; }

    /// <summary>A retry: model, reason.</summary>
    public Action<string, string> Retried { get; init; } = static (_, _) => { };

    /// <summary>What became of a broken stream: model, outcome.</summary>
    public Action<string, string> StreamBroken { get; init; } = static (_, _) => { };

    /// <summary>What became of a hedge: model, outcome.</summary>
    public Action<string, string> Hedged { get; init; } = static (_, _) => { };

    /// <summary>How many retries and continuations the budget refused, once a minute at most: model, number.</summary>
    public Action<string, long> BudgetSpent { get; init; } = static (_, _) => { };
}
