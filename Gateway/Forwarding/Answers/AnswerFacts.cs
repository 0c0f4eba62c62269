using Gateway.Requests;

namespace Gateway.Forwarding.Answers;

/// <summary>What kind of thing the bytes are.</summary>
public enum AnswerShape
{
    /// <summary>No data: a comment, a heartbeat, an event without data, or an empty body.</summary>
    Empty,

    /// <summary>The sentinel <c>[DONE]</c>.</summary>
    Done,

    /// <summary>Not JSON.</summary>
    Malformed,

    /// <summary>A JSON object.</summary>
    JsonObject,

    /// <summary>A JSON array.</summary>
    JsonArray,

    /// <summary>A JSON scalar.</summary>
    JsonScalar,
}

/// <summary>Why an answer ended, in one vocabulary for all APIs.</summary>
public enum FinishKind
{
    None,

    /// <summary>The model came to its end or met a stop sequence.</summary>
    Stop,

    /// <summary>The token limit cut the answer.</summary>
    Length,

    /// <summary>The model called a tool.</summary>
    ToolCalls,

    /// <summary>A filter or a refusal.</summary>
    Filtered,

    /// <summary>The engine gave up: <c>abort</c>, <c>error</c>, <c>cancelled</c>.</summary>
    Aborted,

    Other,
}

/// <summary>Token counts as the engine reported them, in one form for all APIs; null: not reported.</summary>
/// <param name="PromptTokens">The whole prompt, cached part included.</param>
/// <param name="OutputTokens">Tokens of all choices so far.</param>
/// <param name="CachedTokens">The part of the prompt that the prefix cache gave.</param>
/// <param name="ReasoningTokens">The part of the output spent on reasoning.</param>
public readonly record struct AnswerUsage(int? PromptTokens, int? OutputTokens, int? CachedTokens, int? ReasoningTokens)
{
    /// <summary>Whether the engine reported anything.</summary>
    public bool IsReported => PromptTokens is not null || OutputTokens is not null;

    /// <summary>These counts, and the earlier ones where these are silent: Anthropic spreads them over two events.</summary>
    public AnswerUsage Over(in AnswerUsage earlier) => new(
        PromptTokens ?? earlier.PromptTokens, OutputTokens ?? earlier.OutputTokens,
        CachedTokens ?? earlier.CachedTokens, ReasoningTokens ?? earlier.ReasoningTokens);
}

/// <summary>What one stream event or one plain answer says. Ranges are byte offsets into the bytes that were read.</summary>
public struct AnswerFacts
{
    public AnswerShape Shape { get; internal set; }

    /// <summary>Text, reasoning or tool-call arguments for the client: from here on a retry would be seen.</summary>
    public bool HasContent { get; internal set; }

    /// <summary>Where the text of the last choice stands, without its quotes, escapes as written; null: the event has none.</summary>
    public Range? TextValue { get; internal set; }

    /// <summary>Whether there is content that is no text of the answer: reasoning, a tool call, a refusal, sound.</summary>
    public bool HasOtherContent { get; internal set; }

    /// <summary>The name of the first tool that is called here, without its quotes, escapes as written; null: none.</summary>
    public Range? ToolName { get; internal set; }

    /// <summary>Tokens this event carries at a guess: one per choice with content. Running usage, where reported, is better.</summary>
    public int TokenGuess { get; internal set; }

    /// <summary>The first reason to end in these bytes.</summary>
    public FinishKind Finish { get; internal set; }

    /// <summary>Choices that ended here; a chat or text completion is at its end when all choices are.</summary>
    public int FinishedChoices { get; internal set; }

    /// <summary>Elements of <c>choices</c>.</summary>
    public int Choices { get; internal set; }

    /// <summary>A choice ended, or the event is the last but for the sentinel (<c>message_stop</c>, <c>response.completed</c> …).</summary>
    public bool IsTerminal { get; internal set; }

    /// <summary>An error in any engine's shape, whatever the status.</summary>
    public bool IsError { get; internal set; }

    /// <summary>Whether it is an error event as the Responses and the Messages API have it; the other APIs have none of their own.</summary>
    public bool IsErrorEvent { get; internal set; }

    /// <summary>Whether the request failed with it. That a stored response had failed is what reading it is to tell.</summary>
    public readonly bool IsFailureOf(ApiRoute route) => IsError && !(route.IsRead && Finish == FinishKind.Aborted);

    /// <summary>Place of the event among those of a Responses stream; null: none is told.</summary>
    public int? SequenceNumber { get; internal set; }

    /// <summary>The error's message without its quotes, escapes as written; null when it has none.</summary>
    public Range? ErrorMessage { get; internal set; }

    public AnswerUsage Usage { get; internal set; }

    /// <summary>Where a <c>usage</c> that is not null stands; may be replaced by <c>null</c>.</summary>
    public Range? UsageValue { get; internal set; }

    /// <summary>The event exists for its usage alone: no choice, nothing else that is not null.</summary>
    public bool IsUsageOnly { get; internal set; }

    /// <summary>The top-level <c>model</c>, quotes included.</summary>
    public Range? ModelValue { get; internal set; }

    /// <summary><c>response.model</c> or <c>message.model</c>, quotes included.</summary>
    public Range? NestedModelValue { get; internal set; }
}
