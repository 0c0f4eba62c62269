using System.Net.Http;

namespace Gateway.Replicas.Engines;

/// <summary>How the gateway's own questions reach engines.</summary>
/// <param name="Http">Sends; see <see cref="CreateHttp"/>.</param>
/// <param name="ApiKeyOf">The engines' key of a model, from the environment; null: none.</param>
/// <param name="Time">The clock.</param>
public sealed record EngineAccess(HttpMessageInvoker Http, Func<ModelOptions, string?> ApiKeyOf, TimeProvider Time)
{
    /// <summary>Asks one engine of a model.</summary>
    public EngineClient ClientOf(Uri address, ModelOptions model, TimeSpan timeout) => new(Http, address, ApiKeyOf(model), timeout, Time);

    /// <summary>Connections of their own, apart from the requests': a full pool there must not look like a dead engine.</summary>
    public static HttpMessageInvoker CreateHttp(TimeSpan connectTimeout) => new(new SocketsHttpHandler
    {
        ConnectTimeout = connectTimeout,
        // Below the 5 s after which uvicorn closes, so that a question seldom meets a connection that is just ending.
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(4),
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        MaxConnectionsPerServer = 4,
        MaxResponseHeadersLength = 64,
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        ActivityHeadersPropagator = null,
    });
}
