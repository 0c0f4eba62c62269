using System.Diagnostics;
using Gateway.Learning;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Telemetry;

/// <summary>Records the OpenTelemetry GenAI client metrics of a request that reached an engine. Routes the convention has no word for are left out.</summary>
internal sealed class GenAiMeters(GatewayMeters meters, Fleet fleet)
{
    public void Record(CompletedRequest completed, InferenceRequest request, string model)
    {
        var replica = completed.ReplicaId is { } id ? fleet.Find(model)?.Find(id) : null;
        if (meters.GenAiTagsOf(completed.Route.Kind, model, replica) is not { } attributes)
        {
            return;
        }
        var tags = new TagList(attributes);
        var beforeSending = completed.QueueWait + completed.Overhead;
        if (request.Body.IsStreaming && completed.TimeToFirstToken is { } first)
        {
            meters.TimeToFirstChunk.Record(SecondsFrom(beforeSending, first), tags);
        }
        RecordTokens(completed.Usage?.PromptTokens, "input", tags);
        RecordTokens(completed.OutputTokens > 0 ? completed.OutputTokens : completed.Usage?.OutputTokens, "output", tags);
        if (completed.Outcome != RequestOutcome.Success)
        {
            // After the status was sent, only failures that the gateway itself caused have a word of their own.
            var word = completed.StatusCode >= 400 ? GatewayMeters.StatusWord(completed.StatusCode)
                : completed.ErrorCode is { } code && GatewayMeters.IsRefusal(code) ? code
                : GenAiNames.OtherError;
            tags.Add(GenAiNames.ErrorType, word);
        }
        meters.OperationDuration.Record(SecondsFrom(beforeSending, completed.Duration), tags);
    }

    /// <summary>The convention's word for an engine; engines it does not know go by their own name.</summary>
    internal static string ProviderOf(EngineKind engine) => engine switch
    {
        EngineKind.LlamaCpp => "llama.cpp",
        EngineKind.Auto => "unknown",
        _ => engine.Word(),
    };

    /// <summary>The convention's word for what a route does; null: it has none.</summary>
    internal static string? OperationOf(ApiKind kind) => kind switch
    {
        ApiKind.ChatCompletions or ApiKind.Responses or ApiKind.Messages => "chat",
        ApiKind.Completions => "text_completion",
        ApiKind.Embeddings => "embeddings",
        _ => null,
    };

    private static double SecondsFrom(TimeSpan start, TimeSpan end) => Math.Max(0, (end - start).TotalSeconds);

    private void RecordTokens(int? tokens, string type, TagList tags)
    {
        if (tokens is { } count)
        {
            tags.Add(GenAiNames.TokenType, type);
            meters.TokenUsage.Record(count, tags);
        }
    }
}
