namespace Gateway.Telemetry;

/// <summary>The OpenTelemetry GenAI client metrics, the gateway being the engines' client.</summary>
/// <remarks>Names of semantic-conventions-genai, status "development" as of early 2026: they may move, hence one switch for all.</remarks>
public static class GenAiNames
{
    public const string OperationName = "gen_ai.operation.name";
    public const string ProviderName = "gen_ai.provider.name";
    public const string RequestModel = "gen_ai.request.model";
    public const string TokenType = "gen_ai.token.type";
    public const string ServerAddress = "server.address";
    public const string ServerPort = "server.port";
    public const string ErrorType = "error.type";

    // Attributes of spans only.
    public const string MaxTokens = "gen_ai.request.max_tokens";
    public const string ChoiceCount = "gen_ai.request.choice.count";
    public const string IsStream = "gen_ai.request.stream";
    public const string FirstChunkTime = "gen_ai.response.time_to_first_chunk";
    public const string InputTokens = "gen_ai.usage.input_tokens";
    public const string OutputTokens = "gen_ai.usage.output_tokens";
    public const string CachedTokens = "gen_ai.usage.cache_read.input_tokens";
    public const string ReasoningTokens = "gen_ai.usage.reasoning.output_tokens";

    /// <summary>The convention's word for an error that has none.</summary>
    public const string OtherError = "_OTHER";

    private static readonly string[] Common = [OperationName, ProviderName, RequestModel, ServerAddress, ServerPort];

    private static readonly double[] DurationSeconds = [.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

    private static readonly double[] FirstChunkSeconds =
        [.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10];

    private static readonly double[] PerChunkSeconds = [.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5];

    private static readonly double[] Tokens = [.. Enumerable.Range(0, 14).Select(power => Math.Pow(4, power))];

    public static readonly MetricDefinition OperationDuration = new("gen_ai.client.operation.duration", "s", MetricKind.Histogram, [.. Common, ErrorType],
        "Time from sending a request to an engine to the end of its answer.", DurationSeconds);

    public static readonly MetricDefinition TimeToFirstChunk = new("gen_ai.client.operation.time_to_first_chunk", "s", MetricKind.Histogram, Common,
        "Time from sending a streamed request to an engine to the first chunk of its answer.", FirstChunkSeconds);

    public static readonly MetricDefinition TimePerOutputChunk = new("gen_ai.client.operation.time_per_output_chunk", "s", MetricKind.Histogram, Common,
        "Time from one chunk with content of a streamed answer to the next.", PerChunkSeconds);

    public static readonly MetricDefinition TokenUsage = new("gen_ai.client.token.usage", "{token}", MetricKind.Histogram, [.. Common, TokenType],
        "Input and output tokens of an operation.", Tokens);

    public static readonly IReadOnlyList<MetricDefinition> All = [OperationDuration, TimeToFirstChunk, TimePerOutputChunk, TokenUsage];
}
