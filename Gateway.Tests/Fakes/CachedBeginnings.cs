using Gateway.Queueing.Orders;
using Gateway.Requests;

namespace Gateway.Tests.Fakes;

/// <summary>Says of each request, by its id, how much of its prompt is cached; of others nothing is.</summary>
internal sealed class CachedBeginnings : IPrefixSight
{
    public Dictionary<string, int> Tokens { get; } = [];

    public int LongestHit(InferenceRequest request, int promptTokens) => Tokens.GetValueOrDefault(request.Id);
}
