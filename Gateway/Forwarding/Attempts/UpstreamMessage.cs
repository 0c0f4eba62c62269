using System.Net;
using System.Net.Http;
using System.Security.Cryptography;
using Gateway.Replicas;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace Gateway.Forwarding.Attempts;

/// <summary>Builds the request of one attempt.</summary>
internal static class UpstreamMessage
{
    /// <param name="http">The client's request.</param>
    /// <param name="outgoing">What is known of it.</param>
    /// <param name="upstream">Its pool.</param>
    /// <param name="replica">Where it goes.</param>
    /// <param name="attempt">The how-manieth of the request, from 1.</param>
    /// <param name="priority">Its key in the engine's scale; null: none.</param>
    /// <param name="broken">Hears why a body could not be passed on.</param>
    /// <param name="continued">Asks for the rest of an answer; null: for the whole.</param>
    public static HttpRequestMessage Create(
        HttpContext http, OutgoingRequest outgoing, UpstreamPool upstream, Replica replica, int attempt, int? priority, Action<ClientBodyFault> broken, ContinuedBody? continued = null)
    {
        var message = new HttpRequestMessage(HttpMethod.Parse(http.Request.Method), Address(replica, http.Request))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        HeaderRules.CopyUpstream(http.Request.Headers, message.Headers, EngineId(outgoing, attempt), upstream.ApiKey, outgoing.Terms.EndsAuthorization);
        if (Content(http, outgoing, upstream.Changes(outgoing.Request, priority, outgoing.Terms) with { Continued = continued }, broken) is { } content)
        {
            if (http.Request.ContentType is { Length: > 0 } type)
            {
                content.Headers.TryAddWithoutValidation("Content-Type", type);
            }
            else
            {
                content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
            }
            message.Content = content;
        }
        return message;
    }

    /// <summary>The engine's base address, its path prefix, the client's path and query.</summary>
    public static Uri Address(Replica replica, HttpRequest request) =>
        new(replica.AddressPrefix + request.Path.ToUriComponent() + request.QueryString.ToUriComponent(), UriKind.Absolute);

    // Engines use this id as the key of a running request: vLLM refuses a second one, and older versions break. So it gets a suffix where a client uses one id for several
    // requests, or where this is a further attempt, since the one before may not have ended there yet.
    private static string EngineId(OutgoingRequest outgoing, int attempt) => attempt == 1 && !outgoing.SharesId
        ? outgoing.Request.Id
        : $"{outgoing.Request.Id}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";

    private static HttpContent? Content(HttpContext http, OutgoingRequest outgoing, in BodyChanges changes, Action<ClientBodyFault> broken)
    {
        var (request, body) = (outgoing.Request, outgoing.Body);
        if (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsDelete(http.Request.Method))
        {
            return null;
        }
        var spliced = request.Route.IsMultipart
            ? MultipartSplice(body.Memory, request.Body, changes.Model)
            : BodySplicer.Splice(body.Memory, request.Route, request.Body, changes);
        if (body.Rest is not { } rest)
        {
            return new SplicedContent(spliced, body);
        }
        var length = http.Request.ContentLength + (spliced.Length - body.Memory.Length);
        return new PassingContent(spliced, body, rest, body.MaxBytes - body.Memory.Length, length, broken);
    }

    private static SplicedBody MultipartSplice(ReadOnlyMemory<byte> body, BodyFacts facts, string? model)
    {
        if (model is null || facts.ModelValue is not { } place)
        {
            return new SplicedBody(body);
        }
        return new SplicedBody([body[..place.Start.Value], System.Text.Encoding.UTF8.GetBytes(model), body[place.End.Value..]]);
    }
}
