using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.Forwarding;

/// <summary>Tells YARP's forwarder that there is no body for it to copy.</summary>
public sealed class NoRequestBody : IHttpRequestBodyDetectionFeature
{
    /// <summary>A destination that the forwarder asks for and the exchange replaces.</summary>
    public const string AnyPrefix = "http://replica";

    private static readonly NoRequestBody Instance = new();

    public bool CanHaveBody => false;

    /// <summary>Hides the body of a request from the forwarder.</summary>
    public static void Hide(HttpContext http) => http.Features.Set<IHttpRequestBodyDetectionFeature>(Instance);
}
