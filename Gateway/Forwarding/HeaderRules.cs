using System.Collections.Frozen;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.Forwarding;

/// <summary>Which headers pass. A deny-list in both directions: what nobody has invented yet passes.</summary>
public static class HeaderRules
{
    // Hop-by-hop (RFC 9110, 7.6.1), what the gateway says itself, and what only trusted callers may tell an engine
    // (labels and priorities injected by header, ranks, cache salts, sources of KV blocks).
    private static readonly FrozenSet<string> NotUpstream = new[]
    {
        "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding",
        "Upgrade", "Expect", "Host", "Content-Length", "Content-Type", "Content-Encoding", "Accept-Encoding", "Cookie", "HTTP2-Settings",
        "x-request-id", "x-custom-labels", "x-cache-salt", "x-prefiller-host-port", "x-encoder-hosts-ports", "x-kv-cache-source-host-port",
        "endpoint-load-metrics-format", "x-data-parallel-rank", "x-smg-target-worker", "x-ai-eg-model", "x-llm-d-model-name-rewrite",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly string[] NotUpstreamPrefixes = ["x-gateway-", "x-override-", ":"];

    /// <summary>Copies the client's headers that an engine may see.</summary>
    /// <param name="from">The client's.</param>
    /// <param name="to">The engine's.</param>
    /// <param name="requestId">The id under which the gateway knows the request.</param>
    /// <param name="apiKey">The pool's own key; null: none.</param>
    /// <param name="endsAuthorization">Whether the client's authorisation ends here; else it passes through, as through a plain proxy, where the pool has no key.</param>
    public static void CopyUpstream(IHeaderDictionary from, HttpRequestHeaders to, string requestId, string? apiKey, bool endsAuthorization = false)
    {
        var isOurs = endsAuthorization || apiKey is not null;
        var connection = from.Connection;
        foreach (var (name, values) in from)
        {
            if (!MayPassUpstream(name) || IsNamedBy(connection, name) || (isOurs && IsAuthorization(name)))
            {
                continue;
            }
            for (var i = 0; i < values.Count; i++)
            {
                to.TryAddWithoutValidation(name, values[i]);
            }
        }
        to.TryAddWithoutValidation("x-request-id", requestId);
        if (apiKey is not null)
        {
            to.TryAddWithoutValidation("Authorization", "Bearer " + apiKey);
        }
    }

    /// <summary>Whether a header of the client may reach an engine.</summary>
    public static bool MayPassUpstream(string name)
    {
        if (NotUpstream.Contains(name))
        {
            return false;
        }
        foreach (var prefix in NotUpstreamPrefixes)
        {
            if (name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>Takes out of the client's answer what the engine calls hop-by-hop.</summary>
    /// <param name="from">The engine's headers.</param>
    /// <param name="to">The client's, as far as they are the engine's.</param>
    public static void RemoveNamedByConnection(HttpResponseHeaders from, IHeaderDictionary to)
    {
        if (!from.NonValidated.TryGetValues("Connection", out var connection))
        {
            return;
        }
        foreach (var value in connection)
        {
            foreach (var part in value.AsSpan().Split(','))
            {
                to.Remove(value.AsSpan()[part].Trim().ToString());
            }
        }
    }

    // Headers that the client names in Connection are not passed on. Kestrel reduces that header to keep-alive, close or upgrade where it holds one of these; the other names in it are
    // then lost.
    private static bool IsNamedBy(StringValues connection, string name)
    {
        foreach (var value in connection)
        {
            foreach (var part in value.AsSpan().Split(','))
            {
                if (value.AsSpan()[part].Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
                {
                    return true;
                }
            }
        }
        return false;
    }

    private static bool IsAuthorization(string name) =>
        name.Equals("Authorization", StringComparison.OrdinalIgnoreCase)
        || name.Equals("x-api-key", StringComparison.OrdinalIgnoreCase)
        || name.Equals("api-key", StringComparison.OrdinalIgnoreCase);
}
