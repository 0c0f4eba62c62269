using Gateway.Access;
using Gateway.Api;
using Gateway.Dashboard;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Http;
using Endpoint = Gateway.Api.Endpoint;

namespace Gateway;

/// <summary>Every path of the gateway, in one place.</summary>
internal sealed class Endpoints(GatewayServer server, GatewayPath path, RequestReader reader, Doorkeeper door, ListenOptions listen)
{
    private static readonly string[] Get = ["GET", "HEAD"];
    private static readonly string[] Post = ["POST"];
    private static readonly string[] GetDelete = ["GET", "DELETE"];

    /// <summary>Hands each request to the table of the address that it came to.</summary>
    public RequestDelegate Serve()
    {
        if (listen.Ops is null)
        {
            var all = Table(hasData: true, hasOps: true);
            return all.HandleAsync;
        }
        var (data, ops) = (Table(hasData: true, hasOps: false), Table(hasData: false, hasOps: true));
        return http => (Listeners.IsOps(http) ? ops : data).HandleAsync(http);
    }

    private RouteTable Table(bool hasData, bool hasOps)
    {
        var exact = new Dictionary<string, Endpoint>(StringComparer.Ordinal);
        var withId = new List<(string, string, Endpoint)>();
        AddProbes(exact);
        if (hasOps)
        {
            AddOps(exact, withId);
        }
        if (hasData)
        {
            AddData(exact, withId);
        }
        return new RouteTable(exact, withId, listen.CorsOrigins);
    }

    private void AddProbes(Dictionary<string, Endpoint> exact)
    {
        exact["/livez"] = new(Get, OpsEndpoints.LiveAsync);
        exact["/health"] = exact["/livez"];
        exact["/ping"] = exact["/livez"];
        exact["/readyz"] = new(Get, http => OpsEndpoints.ReadyAsync(http, server.Core.Fleet, server.IsStopping));
        exact["/version"] = new(Get, http => OpsEndpoints.VersionAsync(http, GatewayServer.Version));
    }

    private void AddOps(Dictionary<string, Endpoint> exact, List<(string, string, Endpoint)> withId)
    {
        var fleet = server.Core.Fleet;
        exact["/metrics"] = Ops(Get, http => MetricsPage.WriteAsync(http, server.MetricsPage), isMetrics: true);
        exact["/-/status"] = Ops(Get, http => JsonAnswer.WriteAsync(http, json => StatusPage.WriteStatus(json, fleet, server.Status.Read())));
        exact["/-/replicas"] = Ops(Get, http => JsonAnswer.WriteAsync(http, json => StatusPage.WriteReplicas(json, fleet)));
        exact["/-/explain"] = Ops(Post, http => ExplainEndpoint.HandleAsync(http, server.Core, reader, door));
        exact["/ui"] = new(Get, Named(http =>
        {
            // Relative, so that it holds behind a proxy with a path of its own.
            http.Response.Redirect("ui/");
            return Task.CompletedTask;
        }));
        foreach (var (file, serve) in StatusFiles.All)
        {
            exact["/ui/" + file] = new(Get, Named(serve));
        }
        exact["/ui/events"] = Ops(Get, server.Feed.ServeAsync);
        withId.Add(("/-/replicas/", "/drain", Draining(fleet, isDraining: true)));
        withId.Add(("/-/replicas/", "/undrain", Draining(fleet, isDraining: false)));
    }

    private void AddData(Dictionary<string, Endpoint> exact, List<(string, string, Endpoint)> withId)
    {
        var fleet = server.Core.Fleet;
        foreach (var route in ApiRoute.All)
        {
            exact[route.Path] = new Endpoint(Post, http => path.InvokeAsync(http, route), route.Family);
        }
        exact["/v1/models"] = Models((http, caller) => ModelEndpoints.ListAsync(http, fleet, caller.MayUse));
        withId.Add(("/v1/models/", "", Models((http, caller) => ModelEndpoints.GetAsync(http, fleet, caller.MayUse))));
        withId.Add(("/v1/responses/", "", new(GetDelete, http => path.InvokeAsync(http, ApiRoute.StoredResponse)) { HasPlainId = true }));
    }

    private bool IsGuarded => listen.Ops is not null || door.AsksForOpsKey;

    private Endpoint Draining(Fleet fleet, bool isDraining) =>
        Ops(Post, http => OpsEndpoints.SetDrainingAsync(http, fleet, isDraining, IsGuarded)) with { AllowsOtherSites = false };

    private Endpoint Ops(string[] methods, RequestDelegate handle, bool isMetrics = false) => new(methods, http => CountedAsync(http, "ops",
        door.OpsProblem(http, isMetrics) is { } problem ? RefuseAsync(http, problem) : Named(handle)(http)));

    // The request id, on answers that are not written by JsonAnswer: redirects, files, metrics.
    private static RequestDelegate Named(RequestDelegate handle) => http =>
    {
        _ = RequestIds.Of(http);
        return handle(http);
    };

    private Endpoint Models(Func<HttpContext, Caller, Task> handle) => new(Get, http => CountedAsync(http, "/v1/models",
        door.Identify(http.Request.Headers, out var problem) is { } caller ? handle(http, caller) : RefuseAsync(http, problem!)));

    // Refused keys are counted, so that somebody who tries many shows in the metrics.
    private async Task CountedAsync(HttpContext http, string route, Task answer)
    {
        await answer;
        if (http.Response.StatusCode is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden)
        {
            server.OnTurnedAway(route, http.Response.StatusCode, http.Response.Headers["x-gateway-reason"]);
        }
    }

    private static Task RefuseAsync(HttpContext http, ApiProblem problem) =>
        ApiError.WriteAsync(http, ApiFamily.OpenAi, problem, RequestIds.Of(http));
}
