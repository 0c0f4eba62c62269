using System.Text;
using Gateway.Forwarding;
using Gateway.Forwarding.Answers;
using Gateway.Requests;
using Gateway.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Gateway.Api;

/// <summary>A request understood, or why it was not.</summary>
/// <param name="Request">Null where there is a problem.</param>
/// <param name="Body">The bytes, or the stream of them; the receiver disposes it. Null where there is a problem.</param>
/// <param name="Problem">Null where the request was understood.</param>
/// <param name="Upload">Time that the client took to send what was read.</param>
public readonly record struct ReadResult(InferenceRequest? Request, RequestBytes? Body, ApiProblem? Problem, TimeSpan Upload = default)
{
    internal static ReadResult Refused(ApiProblem problem) => new(null, null, problem);
}

/// <summary>Reads a request's body once and understands it together with the headers. Thread-safe.</summary>
public sealed class RequestReader(ListenOptions listen, Func<PrefixOptions> options, PrefixHasher hasher, TimeProvider time)
{
    private readonly BodyBudget _budget = new(listen.MaxBufferedBytes);
    private PrefixHasher _hasher = hasher;

    /// <param name="http">The request.</param>
    /// <param name="route">Its route.</param>
    /// <param name="requestId">Its id.</param>
    /// <param name="arrivedAt">When it came, as a timestamp of the core's clock; null: that does not matter.</param>
    /// <param name="tenant">The key of the tenant whose memory the body takes; 0: none.</param>
    public async ValueTask<ReadResult> ReadAsync(HttpContext http, ApiRoute route, string requestId, long? arrivedAt = null, ulong tenant = 0)
    {
        var sized = Hasher();
        if (IsAmbiguous(http.Request))
        {
            return ReadResult.Refused(OutcomeMap.AmbiguousLength());
        }
        if (HeaderFacts.Read(http.Request.Headers, sized, out var headers) is { } badHeader)
        {
            return ReadResult.Refused(badHeader);
        }
        if (route.IsRead)
        {
            var id = (string)http.Request.RouteValues["id"]!;
            if (!StoredResponseId.IsName(id))
            {
                return ReadResult.Refused(OutcomeMap.UnknownResponse());
            }
            var facts = new BodyFacts { PreviousResponseKey = sized.ResponseKey(sized.Key(Encoding.UTF8.GetBytes(id))), IsPinned = true };
            return new ReadResult(Compose(route, requestId, arrivedAt, headers, facts, PrefixFingerprint.Empty), RequestBytes.Begin(), null);
        }
        if (WrongContentType(http.Request, route) is { } badType)
        {
            return ReadResult.Refused(badType);
        }
        try
        {
            return route.IsMultipart
                ? await ReadMultipartAsync(http, route, requestId, arrivedAt, headers, _budget.For(tenant))
                : await ReadJsonAsync(http, route, requestId, arrivedAt, headers, sized, _budget.For(tenant));
        }
        catch (IOException bad) when (ClientBodyFaults.HasLeft(bad, http.Request.ContentLength))
        {
            return ReadResult.Refused(OutcomeMap.ClientLeft());
        }
        catch (BadHttpRequestException bad)
        {
            // Kestrel's own verdict on the bytes: too large, too slow, cut.
            var problem = bad.StatusCode == StatusCodes.Status413PayloadTooLarge
                ? OutcomeMap.BodyTooLarge(listen.MaxBodyBytes)
                : OutcomeMap.UnreadableBody(bad.StatusCode);
            return ReadResult.Refused(problem);
        }
        catch (IOException) when (!http.RequestAborted.IsCancellationRequested)
        {
            // Kestrel throws this where the size of a chunk is too large a number.
            return ReadResult.Refused(OutcomeMap.UnreadableBody(StatusCodes.Status400BadRequest));
        }
    }

    private async ValueTask<ReadResult> ReadJsonAsync(
        HttpContext http, ApiRoute route, string requestId, long? arrivedAt, HeaderFacts headers, PrefixHasher sized, BodyShare share)
    {
        var began = time.GetTimestamp();
        var bytes = await RequestBytes.ReadAsync(http.Request.Body, http.Request.ContentLength, listen.MaxBodyBytes, http.RequestAborted, share);
        var upload = time.GetElapsedTime(began);
        if (bytes is { IsRefused: true })
        {
            bytes.Dispose();
            return ReadResult.Refused(OutcomeMap.Overloaded());
        }
        if (bytes is null)
        {
            return ReadResult.Refused(OutcomeMap.BodyTooLarge(Math.Min(listen.MaxBodyBytes, RequestBytes.MostBytes)));
        }
        if (BodyReader.Read(bytes.Memory.Span, route, sized, out var facts, out var prefix) is { } problem)
        {
            bytes.Dispose();
            return ReadResult.Refused(OutcomeMap.Of(problem));
        }
        return new ReadResult(Compose(route, requestId, arrivedAt, headers, facts, prefix), bytes, null, upload);
    }

    private async ValueTask<ReadResult> ReadMultipartAsync(
        HttpContext http, ApiRoute route, string requestId, long? arrivedAt, HeaderFacts headers, BodyShare share)
    {
        var began = time.GetTimestamp();
        var (body, facts, problem) = await MultipartBody.OpenAsync(http.Request, listen.MaxBodyBytes, share, http.RequestAborted);
        return problem is not null
            ? ReadResult.Refused(problem)
            : new ReadResult(Compose(route, requestId, arrivedAt, headers, facts, PrefixFingerprint.Empty), body, null, time.GetElapsedTime(began));
    }

    private static InferenceRequest Compose(ApiRoute route, string requestId, long? arrivedAt, HeaderFacts headers, BodyFacts facts, PrefixFingerprint prefix) => new()
    {
        Id = requestId,
        ArrivedAt = arrivedAt,
        Route = route,
        Model = facts.Model,
        Body = facts,
        Prefix = prefix,
        SessionKey = headers.SessionKey != 0 ? headers.SessionKey : facts.BodySessionKey,
        TenantKey = headers.TenantKey,
        FlowKey = headers.FlowKey,
        Priority = headers.Priority ?? facts.TierPriority,
        PriorityLevel = headers.PriorityLevel,
        Deadline = headers.Deadline,
        TimeToFirstTokenSlo = headers.TimeToFirstTokenSlo,
        TotalTimeout = facts.IsStreaming ? headers.StreamTimeout : headers.PlainTimeout,
        MaxRetries = headers.MaxRetries,
    };

    // Where a request has both Content-Length and chunks, Kestrel moves the length to this header. Such a request could be read in two ways (request smuggling).
    private static bool IsAmbiguous(HttpRequest request) =>
        request.Headers.ContainsKey("X-Content-Length") && request.Headers.TransferEncoding.Count > 0;

    private static ApiProblem? WrongContentType(HttpRequest request, ApiRoute route)
    {
        if (request.Headers.ContentEncoding is { Count: > 0 } encoding && !string.Equals(encoding.ToString(), "identity", StringComparison.OrdinalIgnoreCase))
        {
            return OutcomeMap.UnsupportedMediaType("application/json without a Content-Encoding");
        }
        var wanted = route.IsMultipart ? "multipart/form-data" : "application/json";
        // Many small clients send JSON without any content type: it is taken as JSON.
        if (request.ContentType is not { Length: > 0 } type)
        {
            return route.IsMultipart ? OutcomeMap.UnsupportedMediaType(wanted) : null;
        }
        if (type == wanted)
        {
            return null;
        }
        return MediaTypeHeaderValue.TryParse(type, out var media) && IsWanted(media.MediaType.ToString(), wanted)
            ? null
            : OutcomeMap.UnsupportedMediaType(wanted);
    }

    private static bool IsWanted(string given, string wanted) =>
        given.Equals(wanted, StringComparison.OrdinalIgnoreCase)
        || (wanted == "application/json" && given.EndsWith("+json", StringComparison.OrdinalIgnoreCase));

    private PrefixHasher Hasher()
    {
        var blockBytes = options().BlockBytes;
        var current = Volatile.Read(ref _hasher);
        if (current.BlockBytes != blockBytes)
        {
            current = current.WithBlockBytes(blockBytes);
            Volatile.Write(ref _hasher, current);
        }
        return current;
    }
}
