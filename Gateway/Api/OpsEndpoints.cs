using System.Net;
using Gateway.Replicas;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace Gateway.Api;

/// <summary>What an operator asks: whether it lives, whether it is ready, and to drain a replica.</summary>
public static class OpsEndpoints
{
    /// <summary>The process answers: alive.</summary>
    public static Task LiveAsync(HttpContext http) => JsonAnswer.WriteAsync(http, json =>
    {
        json.WriteStartObject();
        json.WriteString("status", "alive");
        json.WriteEndObject();
    });

    /// <summary>Ready: a pool can serve, and no stop was asked for.</summary>
    public static Task ReadyAsync(HttpContext http, Fleet fleet, bool isStopping)
    {
        var canServe = fleet.Pools.Any(pool => pool.CanServe);
        var isReady = canServe && !isStopping;
        return JsonAnswer.WriteAsync(http, json =>
        {
            json.WriteStartObject();
            json.WriteString("status", isReady ? "ready" : isStopping ? "stopping" : "no replica is up");
            json.WriteEndObject();
        }, isReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }

    public static Task VersionAsync(HttpContext http, string version) => JsonAnswer.WriteAsync(http, json =>
    {
        json.WriteStartObject();
        json.WriteString("version", version);
        json.WriteEndObject();
    });

    /// <summary>Stops or resumes new work at a replica; what runs there finishes.</summary>
    /// <param name="http">The request.</param>
    /// <param name="fleet">The replicas.</param>
    /// <param name="isDraining">Which of the two.</param>
    /// <param name="isGuarded">Whether something else keeps strangers away; else only this machine is answered.</param>
    public static Task SetDrainingAsync(HttpContext http, Fleet fleet, bool isDraining, bool isGuarded)
    {
        var requestId = RequestIds.Of(http);
        if (IsFromOtherSite(http.Request.Headers))
        {
            return ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.OtherSite(), requestId);
        }
        if (!isGuarded && !IsLocal(http))
        {
            return ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.LoopbackOnly(), requestId);
        }
        var id = (string)http.Request.RouteValues["id"]!;
        var replicas = fleet.Pools.Select(pool => pool.Find(id)).OfType<Replica>().ToArray();
        if (replicas.Length == 0)
        {
            return ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.UnknownReplica(), requestId);
        }
        foreach (var replica in replicas)
        {
            replica.SetDraining(isDraining);
        }
        return JsonAnswer.WriteAsync(http, json =>
        {
            json.WriteStartObject();
            json.WriteString("replica", id);
            json.WriteBoolean("draining", isDraining);
            json.WriteNumber("running_requests", replicas.Sum(replica => replica.Own.Requests));
            json.WriteEndObject();
        });
    }

    // A web page open in the operator's browser could post to this machine. Browsers say where such a request comes from: to https and to their own machine in
    // Sec-Fetch-Site, and everywhere in Origin. A proxy in front may have put another Host in place; the name that it was asked by is believed, since no page may set
    // that header for another site.
    private static bool IsFromOtherSite(IHeaderDictionary headers)
    {
        if (headers.TryGetValue("Sec-Fetch-Site", out var site))
        {
            return site.ToString() is not ("same-origin" or "none");
        }
        return headers.TryGetValue("Origin", out var origin) && !IsOrigin(origin.ToString(), headers.Host.ToString()) && !IsOrigin(origin.ToString(), headers["X-Forwarded-Host"].ToString());
    }

    private static bool IsOrigin(string origin, string host) =>
        host.Length > 0 && (origin.Equals("http://" + host, StringComparison.OrdinalIgnoreCase) || origin.Equals("https://" + host, StringComparison.OrdinalIgnoreCase));

    // Pipes and test hosts have no remote address; both are on this machine.
    private static bool IsLocal(HttpContext http) => http.Connection.RemoteIpAddress is not { } remote || IPAddress.IsLoopback(remote);
}
