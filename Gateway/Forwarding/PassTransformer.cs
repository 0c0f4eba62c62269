using System.Globalization;
using System.Net.Http;
using Gateway.Forwarding.Attempts;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Forwarding;

/// <summary>What YARP copies for one exchange: nothing of the client's request, which the exchange builds itself, and of the answer's headers all but those that the gateway sets.</summary>
internal sealed class PassTransformer(Exchange exchange, bool namesReplica) : HttpTransformer
{
    // The exchange builds a request per attempt; what YARP prepared is only the carrier.
    public override ValueTask TransformRequestAsync(
        HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        proxyRequest.RequestUri = exchange.Reservation.Replica.Address;
        return ValueTask.CompletedTask;
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (exchange.Failure is not null || proxyResponse is null)
        {
            return false;
        }
        await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        var headers = httpContext.Response.Headers;
        headers.Remove("Server");
        HeaderRules.RemoveNamedByConnection(proxyResponse.Headers, headers);
        // Headers that this gateway sets itself are removed first: the engine may be another gateway that sets them too.
        headers.Remove("x-gateway-reason");
        headers.Remove("x-gateway-replica");
        // Who may read an answer in a browser is for listen.corsOrigins to say; engines tend to allow everybody.
        headers.Remove("Access-Control-Allow-Origin");
        headers.Remove("Access-Control-Allow-Credentials");
        headers.Remove("Access-Control-Expose-Headers");
        headers["x-request-id"] = exchange.Request.Id;
        headers["x-gateway-queue-ms"] = Whole(exchange.QueueWait.TotalMilliseconds);
        headers["x-gateway-estimated-output-tokens"] = Whole(exchange.Estimate.OutputTokens);
        headers["x-gateway-prefix-hit-tokens"] = Whole(exchange.PrefixHitTokens);
        if (namesReplica)
        {
            headers["x-gateway-replica"] = exchange.Reservation.Replica.Id;
        }
        if (exchange.IsEventStream)
        {
            headers.CacheControl = "no-cache";
            headers["X-Accel-Buffering"] = "no";
        }
        exchange.Pass();
        return true;
    }

    private static string Whole(double value) => ((long)Math.Round(value)).ToString(CultureInfo.InvariantCulture);
}
