namespace Gateway.Telemetry;

/// <summary>Names of spans and of their attributes; those of the GenAI convention stand in <see cref="GenAiNames"/>. No text of a prompt or an answer is among them.</summary>
public static class SpanNames
{
    /// <summary>From arrival at the queue to a turn.</summary>
    public const string Queue = "queue";

    /// <summary>The choice of a replica with its room; takes no time that can be seen.</summary>
    public const string Placement = "placement";

    /// <summary>From the first token to the last.</summary>
    public const string Stream = "stream";

    public const string Method = "http.request.method";
    public const string Route = "http.route";
    public const string Status = "http.response.status_code";

    public const string RequestId = "gateway.request.id";
    public const string Tenant = "gateway.tenant";
    public const string Replica = "gateway.replica";
    public const string Priority = "gateway.priority";
    public const string Outcome = "gateway.outcome";
    public const string HeldFor = "gateway.queue.held_for";
    public const string QueueOutcome = "gateway.queue.outcome";
    public const string PlacementReason = "gateway.placement.reason";
    public const string PrefixHitTokens = "gateway.placement.prefix_hit_tokens";
    public const string EstimatedTokens = "gateway.estimate.output_tokens";
    public const string Attempt = "gateway.attempt";
    public const string Retries = "gateway.retries";
}
