using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>What the replicas that take work hold of prompts. Guarded by its dispatcher's lock.</summary>
/// <param name="pool">The replicas.</param>
/// <param name="prefixes">Which of them saw which prompt.</param>
internal sealed class HeldPrompts(Pool pool, PrefixIndex prefixes)
{
    private int[] _hits = new int[16];

    /// <summary>Prompt tokens that the one of them holds which holds most, but for those that are avoided.</summary>
    /// <param name="request">The request.</param>
    /// <param name="promptTokens">Tokens of its whole prompt: the most that this can be.</param>
    /// <param name="options">How long what was sent is believed to be held.</param>
    /// <param name="avoided">Replicas that do not count.</param>
    public int MostTokens(InferenceRequest request, int promptTokens, RoutingOptions options, IReadOnlyList<Replica> avoided)
    {
        var replicas = pool.Replicas;
        if (replicas.Length > _hits.Length)
        {
            _hits = new int[replicas.Length];
        }
        prefixes.Match(request, promptTokens, options, replicas, _hits.AsSpan(0, replicas.Length));
        var most = 0;
        for (var i = 0; i < replicas.Length; i++)
        {
            most = _hits[i] > most && replicas[i].Health == ReplicaHealth.Up && !avoided.Contains(replicas[i]) ? _hits[i] : most;
        }
        return most;
    }
}
