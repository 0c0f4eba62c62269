using Gateway.Queueing.Orders;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>What the replicas hold of a prompt, looked up again only when a prompt was noted since, which is after the next turn at the latest, or the settings changed. Guarded by the dispatcher's lock.</summary>
/// <param name="held">Says it.</param>
/// <param name="prefixes">Where prompts are noted.</param>
/// <param name="options">How long they are believed to be held; as they are in force.</param>
internal sealed class CachedPrompts(HeldPrompts held, PrefixIndex prefixes, Func<RoutingOptions> options) : IPrefixSight
{
    private const int MostKept = 1_024;

    private readonly Dictionary<ulong[], (int Hit, long Version)> _hits = new(ReferenceEqualityComparer.Instance);
    private RoutingOptions? _lookedUpBy;

    public int LongestHit(InferenceRequest request, int promptTokens)
    {
        var blocks = request.Prefix.Blocks;
        if (blocks.Length == 0)
        {
            return 0;
        }
        var (version, inForce) = (prefixes.Version, options());
        if (!ReferenceEquals(inForce, _lookedUpBy))
        {
            _hits.Clear();
            _lookedUpBy = inForce;
        }
        if (_hits.TryGetValue(blocks, out var known) && known.Version == version)
        {
            return known.Hit;
        }
        if (_hits.Count >= MostKept)
        {
            _hits.Clear();
        }
        var hit = held.MostTokens(request, promptTokens, inForce, []);
        _hits[blocks] = (hit, version);
        return hit;
    }
}
