using Gateway.Api;
using Gateway.Requests;
using Gateway.Telemetry;

namespace Gateway;

/// <summary>Every path of the gateway, in one place.</summary>
internal static class Endpoints
{
    private static readonly string[] Get = ["GET", "HEAD"];
    private static readonly string[] Post = ["POST"];
    private static readonly string[] GetDelete = ["GET", "DELETE"];

    public static RouteTable Table(GatewayServer server, GatewayPath path, RequestReader reader, IReadOnlyList<string> corsOrigins)
    {
        var fleet = server.Core.Fleet;
        var exact = ApiRoute.All.ToDictionary(route => route.Path, route => new Endpoint(Post, http => path.InvokeAsync(http, route), route.Family));
        exact["/v1/models"] = new(Get, http => ModelEndpoints.ListAsync(http, fleet));
        exact["/livez"] = new(Get, OpsEndpoints.LiveAsync);
        exact["/health"] = exact["/livez"];
        exact["/ping"] = exact["/livez"];
        exact["/readyz"] = new(Get, http => OpsEndpoints.ReadyAsync(http, fleet, server.IsStopping));
        exact["/version"] = new(Get, http => OpsEndpoints.VersionAsync(http, GatewayServer.Version));
        exact["/metrics"] = new(Get, http => Telemetry.MetricsPage.WriteAsync(http, server.MetricsPage));
        exact["/-/status"] = new(Get, http => JsonAnswer.WriteAsync(http, json => StatusPage.WriteStatus(json, fleet, server.Status())));
        exact["/-/replicas"] = new(Get, http => JsonAnswer.WriteAsync(http, json => StatusPage.WriteReplicas(json, fleet)));
        exact["/-/explain"] = new(Post, http => ExplainEndpoint.HandleAsync(http, server.Core, reader));
        (string, string, Endpoint)[] withId =
        [
            ("/-/replicas/", "/drain", new(Post, http => OpsEndpoints.SetDrainingAsync(http, fleet, isDraining: true))),
            ("/-/replicas/", "/undrain", new(Post, http => OpsEndpoints.SetDrainingAsync(http, fleet, isDraining: false))),
            ("/v1/models/", "", new(Get, http => ModelEndpoints.GetAsync(http, fleet))),
            ("/v1/responses/", "", new(GetDelete, http => path.InvokeAsync(http, ApiRoute.StoredResponse))),
        ];
        return new RouteTable(exact, withId, corsOrigins);
    }
}
