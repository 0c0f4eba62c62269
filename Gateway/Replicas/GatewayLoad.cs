namespace Gateway.Replicas;

/// <summary>What one gateway, or several together, have in flight at a replica.</summary>
/// <param name="Requests">Sent and not ended.</param>
/// <param name="Sequences">Answers being generated: more than the requests where one asks for several.</param>
/// <param name="ReservedTokens">KV room given out.</param>
/// <param name="QueuedPrefillTokens">Prompt tokens sent and not yet computed.</param>
/// <param name="OutstandingTokens">Expected output tokens still to come.</param>
public readonly record struct GatewayLoad(int Requests, int Sequences, long ReservedTokens, long QueuedPrefillTokens, double OutstandingTokens)
{
    /// <summary>KV tokens of what was sent and not ended, as far as it has grown.</summary>
    public long HeldTokens => Math.Max(0, ReservedTokens - (long)Math.Ceiling(OutstandingTokens));

    public static GatewayLoad operator +(GatewayLoad one, GatewayLoad other) => new(
        one.Requests + other.Requests, one.Sequences + other.Sequences, one.ReservedTokens + other.ReservedTokens,
        one.QueuedPrefillTokens + other.QueuedPrefillTokens, one.OutstandingTokens + other.OutstandingTokens);
}
