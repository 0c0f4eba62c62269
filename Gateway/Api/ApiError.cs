using System.Globalization;
using Gateway.Forwarding.Answers;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Gateway.Api;

/// <summary>Writes a problem as the API that was asked would.</summary>
public static class ApiError
{
    /// <summary>Anthropic's own status where OpenAI says 429 for a full queue: its clients know 529 as overload.</summary>
    private const int Overloaded = 529;

    /// <summary>The status as sent for an API.</summary>
    public static int StatusFor(ApiProblem problem, ApiFamily family) =>
        family == ApiFamily.Anthropic && problem.Code is ("queue_full" or "queue_timeout") ? Overloaded : problem.Status;

    /// <summary>Sends the problem, unless the answer has begun or the client is gone.</summary>
    public static async Task WriteAsync(HttpContext http, ApiFamily family, ApiProblem problem, string requestId)
    {
        if (http.Response.HasStarted || problem.Status == OutcomeMap.ClientClosedRequest || http.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        var status = StatusFor(problem, family);
        var response = http.Response;
        response.Clear();
        response.StatusCode = status;
        response.Headers["x-request-id"] = requestId;
        response.Headers["x-gateway-reason"] = problem.Code;
        SetRetryHeaders(response.Headers, problem);
        if (status == StatusCodes.Status401Unauthorized)
        {
            response.Headers.WWWAuthenticate = "Bearer";
        }
        // Later protocols have no such header, and their server a warning for each.
        if ((problem.EndsConnection || problem.Code == "shutting_down") && !HttpProtocol.IsHttp2(http.Request.Protocol) && !HttpProtocol.IsHttp3(http.Request.Protocol))
        {
            response.Headers.Connection = "close";
        }
        response.ContentType = "application/json";
        var body = ErrorBody.Write(family, new WireError(status, problem.Type, problem.Code, problem.Message, problem.Param), requestId);
        response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
        {
            await response.Body.WriteAsync(body, http.RequestAborted);
        }
    }

    private static void SetRetryHeaders(IHeaderDictionary headers, ApiProblem problem)
    {
        if (problem.RetryAfter is { } pause)
        {
            var seconds = Math.Max(1, (long)Math.Ceiling(pause.TotalSeconds));
            headers[HeaderNames.RetryAfter] = seconds.ToString(CultureInfo.InvariantCulture);
        }
        if (problem.IsFinal)
        {
            headers["x-should-retry"] = "false";
        }
    }
}
