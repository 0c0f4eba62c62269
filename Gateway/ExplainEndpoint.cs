using System.Text.Json;
using Gateway.Api;
using Gateway.Requests;
using Gateway.Routing;
using Microsoft.AspNetCore.Http;

namespace Gateway;

/// <summary><c>POST /-/explain</c>: a request body in, the decision with every cost out; nothing is forwarded and nothing is reserved.</summary>
public static class ExplainEndpoint
{
    /// <summary>Explains a body as the route of <c>?route=</c> would take it; a chat completion when none is named.</summary>
    public static async Task HandleAsync(HttpContext http, GatewayCore core, RequestReader reader)
    {
        var requestId = HeaderFacts.RequestId(http.Request.Headers);
        var path = http.Request.Query["route"].ToString();
        var route = path.Length == 0 ? ApiRoute.ChatCompletions : ApiRoute.All.FirstOrDefault(candidate => candidate.Path == path);
        if (route is null || route.IsMultipart)
        {
            await ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.UnknownRoute("POST", "the one that ?route= names"), requestId);
            return;
        }
        var read = await reader.ReadAsync(http, route, requestId);
        using var body = read.Body;
        if (read.Request is not { } request)
        {
            await ApiError.WriteAsync(http, ApiFamily.OpenAi, read.Problem!, requestId);
            return;
        }
        if (core.Find(request.Model) is not { } model)
        {
            await ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.UnknownModel(request.Model), requestId);
            return;
        }
        await JsonAnswer.WriteAsync(http, json => Write(json, core, model, request));
    }

    private static void Write(Utf8JsonWriter json, GatewayCore core, ModelPool model, InferenceRequest request)
    {
        var estimate = core.Estimate(request, model.Pool);
        json.WriteStartObject();
        json.WriteString("model", model.Pool.Name);
        json.WriteString("priority", request.Priority.ToString().ToLowerInvariant());
        json.WriteStartObject("estimate");
        json.WriteNumber("prompt_tokens", estimate.PromptTokens);
        json.WriteNumber("output_tokens", Math.Round(estimate.OutputTokens, 1));
        json.WriteNumber("output_tokens_p50", estimate.Output.Quantile(0.5));
        json.WriteNumber("output_tokens_p90", estimate.Output.Quantile(0.9));
        json.WriteEndObject();
        json.WriteStartObject("queue");
        foreach (var priority in Enum.GetValues<PriorityClass>())
        {
            json.WriteNumber(priority.ToString().ToLowerInvariant(), model.Dispatcher.Waiting(priority));
        }
        json.WriteEndObject();
        WriteCandidates(json, model, request, estimate);
        json.WriteEndObject();
    }

    private static void WriteCandidates(Utf8JsonWriter json, ModelPool model, InferenceRequest request, Estimation.RequestEstimate estimate)
    {
        var best = (Id: default(string), Seconds: double.PositiveInfinity);
        json.WriteStartArray("candidates");
        model.Dispatcher.Explain(request, estimate, (candidate, hasRoom, seconds) =>
        {
            if (hasRoom && seconds < best.Seconds)
            {
                best = (candidate.Replica.Id, seconds);
            }
            WriteCandidate(json, candidate, hasRoom, seconds);
        });
        json.WriteEndArray();
        json.WriteString("decision", best.Id is null ? "wait" : "send");
        json.WriteString("replica", best.Id);
        json.WriteString("why", best.Id is null
            ? "No replica that takes work has room for the request now."
            : "Least cost among the replicas with room; equals are drawn.");
    }

    private static void WriteCandidate(Utf8JsonWriter json, in Candidate candidate, bool hasRoom, double seconds)
    {
        json.WriteStartObject();
        json.WriteString("replica", candidate.Replica.Id);
        json.WriteString("health", candidate.Replica.Health.ToString().ToLowerInvariant());
        json.WriteBoolean("has_room", hasRoom);
        if (double.IsFinite(seconds))
        {
            json.WriteNumber("cost_seconds", Math.Round(seconds, 6));
        }
        json.WriteNumber("prefix_hit_tokens", candidate.PrefixHitTokens);
        json.WriteBoolean("holds_session", candidate.HoldsSession);
        json.WriteNumber("running_requests", candidate.Replica.RunningRequests);
        json.WriteNumber("reserved_tokens", candidate.Replica.ReservedTokens);
        json.WriteEndObject();
    }
}
