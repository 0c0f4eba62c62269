using System.Text.Json;
using Gateway.Access;
using Gateway.Api;
using Gateway.Dashboard;
using Gateway.Queueing;
using Gateway.Requests;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Gateway;

/// <summary><c>POST /-/explain</c>: a request body in, the decision with every cost out; nothing is forwarded and nothing is reserved.</summary>
public static class ExplainEndpoint
{
    // Uploads are read as they pass, and nothing passes here.
    private static readonly IReadOnlyList<ApiRoute> Explained = [.. ApiRoute.All.Where(route => !route.IsMultipart)];

    /// <summary>Explains a body as the route of <c>?route=</c> would take it, a chat completion when none is named, sent by the tenant of <c>?tenant=</c>, by anybody when none is named.</summary>
    public static async Task HandleAsync(HttpContext http, GatewayCore core, RequestReader reader, Doorkeeper door)
    {
        var requestId = RequestIds.Of(http);
        var path = http.Request.Query["route"].ToString();
        var route = path.Length == 0 ? ApiRoute.ChatCompletions : Explained.FirstOrDefault(candidate => candidate.Path == path);
        if (route is null)
        {
            await ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.UnexplainedRoute(Explained.Select(known => known.Path)), requestId);
            return;
        }
        if (CallerOf(http, door) is not { } caller)
        {
            await ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.UnknownTenant(), requestId);
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
        if (!caller.MayUse(request.Model))
        {
            await ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.ModelNotAllowed(request.Model), requestId);
            return;
        }
        request = caller.Own(request, http.Request.Headers);
        if (Pinning.Continuing(core, model, caller, request) is not { } holder)
        {
            await ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.UnknownResponse("previous_response_id"), requestId);
            return;
        }
        await JsonAnswer.WriteAsync(http, json => Write(json, core, holder, request));
    }

    // The key in the headers is the operator's own, so the tenant to explain for is given by its name.
    private static Caller? CallerOf(HttpContext http, Doorkeeper door) =>
        http.Request.Query["tenant"].ToString() is { Length: > 0 } name ? door.Named(name) : Caller.Anybody;

    private static void Write(Utf8JsonWriter json, GatewayCore core, ModelPool model, InferenceRequest request)
    {
        var estimate = core.Estimate(request, model.Pool);
        var explanation = model.Dispatcher.Explain(request, estimate, Pinning.Of(request, model));
        var settings = core.Options.InForce();
        json.WriteStartObject();
        json.WriteString("model", model.Pool.Name);
        json.WriteString("priority", request.Priority.Word());
        json.WriteNumber("priority_level", request.PriorityLevel);
        json.WriteStartObject("estimate");
        json.WriteNumber("prompt_tokens", estimate.PromptTokens);
        json.WriteNumber("output_tokens", Math.Round(estimate.OutputTokens, 1));
        json.WriteNumber("output_tokens_p50", estimate.Output.Quantile(0.5));
        json.WriteNumber("output_tokens_p90", estimate.Output.Quantile(0.9));
        json.WriteEndObject();
        json.WriteStartObject("queue");
        foreach (var priority in Enum.GetValues<PriorityClass>())
        {
            json.WriteNumber(priority.Word(), model.Dispatcher.Waiting(priority));
        }
        json.WriteString("order", settings.Queue.Order);
        json.WriteString("admission", settings.Queue.Admission);
        json.WriteNumber("rank_seconds", Seconds(explanation.Rank));
        json.WriteNumber("ahead", explanation.Ahead);
        json.WriteEndObject();
        json.WriteString("policy", settings.Routing.PolicyName);
        json.WriteStartArray("candidates");
        foreach (var candidate in explanation.Candidates)
        {
            WriteCandidate(json, candidate, explanation.CostsAreSeconds);
        }
        json.WriteEndArray();
        WriteDecision(json, explanation);
        json.WriteEndObject();
    }

    private static void WriteDecision(Utf8JsonWriter json, Explanation explanation)
    {
        var best = explanation.Best is { } index ? explanation.Candidates[index] : null;
        var isSent = explanation is { Refusal: null, Hold: HoldReason.None };
        json.WriteString("decision", explanation.Refusal is not null ? "refuse" : isSent ? "send" : "wait");
        json.WriteString("replica", isSent ? best?.Candidate.Replica.Id : null);
        json.WriteString("hold", explanation.Refusal is not null || isSent ? null : GatewayMeters.WordOf(explanation.Hold));
        json.WriteString("why", explanation.Refusal is { } refusal ? DecisionWords.WhyRefused(refusal) : WhyNotRefused(explanation.Hold));
        json.WriteStartObject("predicted");
        json.WriteNumberOrNull("wait_seconds", explanation.WaitSeconds, 6);
        json.WriteNumberOrNull("ttft_seconds", explanation.WaitSeconds + best?.Forecast.FirstTokenSeconds, 6);
        json.WriteNumberOrNull("e2e_seconds", explanation.WaitSeconds + best?.Forecast.AnswerSeconds, 6);
        json.WriteEndObject();
    }

    private static string WhyNotRefused(HoldReason hold) => hold == HoldReason.None
        ? "Least cost among the replicas with room; equals are drawn."
        : $"It has to wait {DecisionWords.WaitsFor(hold)}.";

    private static void WriteCandidate(Utf8JsonWriter json, ExplainedCandidate explained, bool costsAreSeconds)
    {
        var candidate = explained.Candidate;
        json.WriteStartObject();
        json.WriteString("replica", candidate.Replica.Id);
        json.WriteString("health", StatusPage.HealthOf(candidate.Replica.Health));
        json.WriteBoolean("has_room", explained.HasRoom);
        if (double.IsFinite(explained.CostSeconds))
        {
            json.WriteNumber(costsAreSeconds ? "cost_seconds" : "cost", Seconds(explained.CostSeconds));
        }
        json.WriteStartObject(costsAreSeconds ? "parts_seconds" : "parts");
        foreach (var (scorer, seconds) in explained.Parts)
        {
            json.WriteNumber(scorer, Seconds(seconds));
        }
        json.WriteEndObject();
        json.WriteNumberOrNull("ttft_seconds", explained.Forecast.FirstTokenSeconds, 6);
        json.WriteNumberOrNull("e2e_seconds", explained.Forecast.AnswerSeconds, 6);
        json.WriteBoolean("speed_is_learned", candidate.Replica.Rates.IsLearned);
        json.WriteNumber("prefix_hit_tokens", candidate.PrefixHitTokens);
        json.WriteBoolean("holds_session", candidate.HoldsSession);
        json.WriteNumber("running_requests", candidate.Replica.RunningRequests);
        json.WriteNumber("reserved_tokens", candidate.Replica.ReservedTokens);
        json.WriteEndObject();
    }

    private static double Seconds(double seconds) => Math.Round(seconds, 6);
}
