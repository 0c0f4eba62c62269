using Gateway.Queueing.Orders;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>What the index of prefixes says of a prompt, looked up again only when it has changed since. Guarded by the dispatcher's lock.</summary>
/// <param name="prefixes">Which replica saw which prompt.</param>
/// <param name="options">How long that is believed.</param>
internal sealed class CachedPrompts(PrefixIndex prefixes, RoutingOptions options) : IPrefixSight
{
    private const int MostKept = 1_024;

    private readonly Dictionary<ulong[], (int Hit, long Version)> _hits = new(ReferenceEqualityComparer.Instance);

    public int LongestHit(InferenceRequest request, int promptTokens)
    {
        var blocks = request.Prefix.Blocks;
        if (blocks.Length == 0)
        {
            return 0;
        }
        var version = prefixes.Version;
        if (_hits.TryGetValue(blocks, out var known) && known.Version == version)
        {
            return known.Hit;
        }
        if (_hits.Count >= MostKept)
        {
            _hits.Clear();
        }
        var hit = prefixes.LongestHit(request, promptTokens, options);
        _hits[blocks] = (hit, version);
        return hit;
    }
}
