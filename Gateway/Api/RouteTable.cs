using System.Collections.Frozen;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace Gateway.Api;

/// <summary>Answers one path.</summary>
/// <param name="Methods">Methods that it takes.</param>
/// <param name="Handle">Serves it.</param>
/// <param name="Family">Shape of its errors.</param>
public sealed record Endpoint(string[] Methods, RequestDelegate Handle, ApiFamily Family = ApiFamily.OpenAi)
{
    /// <summary>Whether an id in its path is one segment: what lies deeper is another path, which is not on the list.</summary>
    public bool HasPlainId { get; init; }

    /// <summary>Whether web pages of other sites may call it, where the configuration names any.</summary>
    public bool AllowsOtherSites { get; init; } = true;
}

/// <summary>The allow-list: exact paths, and a few with an id at their end. Whatever is not here is 404, so that no admin route of an engine can be reached.</summary>
public sealed class RouteTable
{
    private readonly FrozenDictionary<string, Endpoint> _exact;
    private readonly (string Prefix, string Suffix, Endpoint Endpoint)[] _withId;
    private readonly IReadOnlyList<string> _corsOrigins;

    /// <param name="exact">By whole path.</param>
    /// <param name="withId">By what stands before and behind the id; the id becomes the route value <c>id</c>.</param>
    /// <param name="corsOrigins">Origins that browsers may call from.</param>
    public RouteTable(
        IReadOnlyDictionary<string, Endpoint> exact, IReadOnlyList<(string Prefix, string Suffix, Endpoint Endpoint)> withId, IReadOnlyList<string> corsOrigins)
    {
        _exact = exact.ToFrozenDictionary(StringComparer.Ordinal);
        _withId = [.. withId];
        _corsOrigins = corsOrigins;
    }

    /// <summary>Serves a request, or says why not.</summary>
    public Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value ?? "/";
        if (Find(http, path) is not { } endpoint)
        {
            var near = path.StartsWith("/v1/v1/", StringComparison.Ordinal) ? path["/v1".Length..] : "/v1" + path;
            var meant = Find(http, near) is null || Shown(path) != path ? null : near;
            return ApiError.WriteAsync(http, FamilyOf(meant ?? path), OutcomeMap.UnknownRoute(http.Request.Method, Shown(path), meant), RequestIds.Of(http));
        }
        if (_corsOrigins.Count > 0 && endpoint.AllowsOtherSites && Cors.Apply(http, _corsOrigins, endpoint.Methods))
        {
            return Task.CompletedTask;
        }
        if (!Array.Exists(endpoint.Methods, method => HttpMethods.Equals(method, http.Request.Method)))
        {
            var allowed = string.Join(", ", endpoint.Methods);
            http.Response.OnStarting(() =>
            {
                http.Response.Headers.Allow = allowed;
                return Task.CompletedTask;
            });
            return ApiError.WriteAsync(http, endpoint.Family, OutcomeMap.WrongMethod(http.Request.Method, path, allowed), RequestIds.Of(http));
        }
        return endpoint.Handle(http);
    }

    private Endpoint? Find(HttpContext http, string path)
    {
        if (_exact.TryGetValue(path, out var endpoint))
        {
            return endpoint;
        }
        foreach (var (prefix, suffix, candidate) in _withId)
        {
            if (path.Length > prefix.Length + suffix.Length
                && path.StartsWith(prefix, StringComparison.Ordinal) && path.EndsWith(suffix, StringComparison.Ordinal)
                && !(candidate.HasPlainId && path.AsSpan(prefix.Length).Contains('/')))
            {
                http.Request.RouteValues["id"] = Uri.UnescapeDataString(path[prefix.Length..^suffix.Length]);
                return candidate;
            }
        }
        return null;
    }

    private static ApiFamily FamilyOf(string path) => path.StartsWith("/v1/messages", StringComparison.Ordinal) ? ApiFamily.Anthropic : ApiFamily.OpenAi;

    // A path is echoed only as far as it is short and harmless.
    private static string Shown(string path) => path.Length <= 128 && path.All(c => c is > ' ' and < (char)127 and not '"' and not '<') ? path : "(unprintable path)";
}

/// <summary>Cross-origin answers for browsers, where the configuration names origins.</summary>
internal static class Cors
{
    private const string Readable = "x-request-id, x-gateway-replica, x-gateway-queue-ms, x-gateway-estimated-output-tokens, x-gateway-prefix-hit-tokens, "
        + "x-gateway-reason, Retry-After, x-should-retry, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
        + "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";

    /// <summary>Adds the headers.</summary>
    /// <returns>Whether the request was a preflight, which is answered by them alone.</returns>
    public static bool Apply(HttpContext http, IReadOnlyList<string> origins, string[] methods)
    {
        var origin = http.Request.Headers.Origin.ToString();
        var isForAll = origins.Contains("*");
        var isAllowed = origin.Length > 0 && (isForAll || origins.Contains(origin));
        var headers = http.Response.Headers;
        // Set when the answer starts, so that clearing a half-made answer for an error does not lose it.
        http.Response.OnStarting(() =>
        {
            if (!isForAll)
            {
                // On every answer, or a cache would give one that nobody else may read to an origin that may, and the other way round.
                headers.Append("Vary", "Origin");
            }
            if (isAllowed)
            {
                headers.AccessControlAllowOrigin = isForAll ? "*" : origin;
                headers.AccessControlExposeHeaders = Readable;
            }
            return Task.CompletedTask;
        });
        if (!isAllowed)
        {
            return false;
        }
        if (!HttpMethods.IsOptions(http.Request.Method) || !http.Request.Headers.ContainsKey("Access-Control-Request-Method"))
        {
            return false;
        }
        headers.AccessControlAllowMethods = string.Join(", ", methods);
        headers.AccessControlAllowHeaders = http.Request.Headers.AccessControlRequestHeaders.ToString() is { Length: > 0 } asked ? asked : "*";
        headers.AccessControlMaxAge = "600";
        _ = RequestIds.Of(http);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
        return true;
    }
}
