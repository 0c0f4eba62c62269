using Gateway.Requests.Sketching;

namespace Gateway.Requests;

/// <summary>What one pass over a request body found. Immutable; positions are byte offsets into that body.</summary>
public sealed record BodyFacts
{
    /// <summary>A request without a body.</summary>
    public static readonly BodyFacts None = new();

    /// <summary>The top-level <c>model</c>, unescaped; empty when absent.</summary>
    public string Model { get; init; } = "";

    /// <summary>Where the value of <c>model</c> stands, quotes included; null when absent or not JSON.</summary>
    public Range? ModelValue { get; init; }

    public bool IsStreaming { get; init; }

    /// <summary>Whether the client itself asked for usage in the stream.</summary>
    public bool WantsStreamUsage { get; init; }

    /// <summary>Where the value of <c>stream_options</c> stands (an object or null); null when absent.</summary>
    public Range? StreamOptionsValue { get; init; }

    /// <summary>Where the value of <c>stream_options.include_usage</c> stands; null when absent.</summary>
    public Range? IncludeUsageValue { get; init; }

    /// <summary>Where the value of a top-level <c>priority</c> stands; null when absent.</summary>
    public Range? PriorityValue { get; init; }

    /// <summary>The class that <c>service_tier</c> asks for; the default one where it asks for none.</summary>
    public PriorityClass TierPriority { get; init; } = PriorityClass.Default;

    /// <summary>Offset just behind the opening brace of the top-level object: where a new member may be inserted.</summary>
    public int InsertAt { get; init; }

    /// <summary>Whether the top-level object has no member, so that an inserted one takes no comma.</summary>
    public bool IsEmptyObject { get; init; }

    /// <summary>Bytes of the whole body.</summary>
    public long BodyBytes { get; init; }

    /// <summary>Bytes of text that the engine will tokenise: JSON escapes and media not counted.</summary>
    public int PromptBytes { get; init; }

    /// <summary>Prompt tokens given as ids, exact.</summary>
    public int PromptTokenIds { get; init; }

    /// <summary>Images, audio and video parts.</summary>
    public int MediaParts { get; init; }

    /// <summary>Prompts in the request: 1, or the length of a list.</summary>
    public int Prompts { get; init; } = 1;

    /// <summary>Answers asked per prompt (<c>n</c> or <c>best_of</c>, the larger); at least 1.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>The client's limit on output tokens per answer; null: none named. At least 0.</summary>
    public int? MaxOutputTokens { get; init; }

    /// <summary><c>min_tokens</c>; 0 when absent.</summary>
    public int MinOutputTokens { get; init; }

    /// <summary><c>ignore_eos</c>: the output is then exactly the limit.</summary>
    public bool IgnoresEndOfSequence { get; init; }

    /// <summary>Messages in the conversation; 0 for routes without messages.</summary>
    public int Messages { get; init; }

    public bool HasTools { get; init; }

    /// <summary>A tool call is forced (<c>required</c>, <c>any</c> or a named tool).</summary>
    public bool ForcesTool { get; init; }

    /// <summary>A response format, grammar or schema bounds the answer.</summary>
    public bool HasStructuredOutput { get; init; }

    /// <summary>Log probabilities were asked for.</summary>
    public bool WantsLogProbabilities { get; init; }

    /// <summary>Reasoning was asked for, by effort, budget or template switch.</summary>
    public bool AsksForReasoning { get; init; }

    /// <summary>Budget of reasoning tokens; null: none named.</summary>
    public int? ReasoningBudgetTokens { get; init; }

    /// <summary>The answer may not be replayed on another replica: it is stored or runs in the background there.</summary>
    public bool IsPinned { get; init; }

    /// <summary>The engine answers at once and goes on with the work, whose end is not heard here.</summary>
    public bool IsBackground { get; init; }

    /// <summary><c>previous_response_id</c> or the id in the path, hashed like a session; 0 when absent.</summary>
    public ulong PreviousResponseKey { get; init; }

    /// <summary>Keyed hash of the affinity key in the body (<c>prompt_cache_key</c>, <c>user</c> …); 0 when absent.</summary>
    public ulong BodySessionKey { get; init; }

    /// <summary>Keyed hash of the system prompt and tools: who is asking, without asking who; 0 when absent.</summary>
    public ulong SystemPromptKey { get; init; }

    /// <summary>Output tokens that the client expects (<c>nvext.agent_hints.osl</c> and the like); null: no hint.</summary>
    public int? ExpectedOutputTokensHint { get; init; }

    /// <summary>Texts that end the answer where they occur in it (<c>stop</c>, <c>stop_sequences</c>).</summary>
    public int StopSequences { get; init; }

    /// <summary>Who wrote the last message.</summary>
    public MessageRole LastRole { get; init; }

    /// <summary>Sketch of the last message; null where there is no text or nothing is generated. To be returned when the request has ended.</summary>
    public TextSketch? Sketch { get; init; }

    /// <summary>Where members stand that only trusted callers may send, names included, neighbours as one, in the order of the body.</summary>
    public IReadOnlyList<Range> TrustedOnlyMembers { get; init; } = [];

    /// <summary>Where the text of the client's own <c>cache_salt</c> stands, quotes included; null when absent or unread on this route.</summary>
    public Range? CacheSaltValue { get; init; }

    /// <summary>A media part is to be fetched from a local file or the network around the engines.</summary>
    public bool NamesLocalMedia { get; init; }
}

/// <summary>Who wrote a message.</summary>
public enum MessageRole
{
    /// <summary>The user, or no role is named.</summary>
    User,

    Assistant,

    /// <summary>A tool or a function.</summary>
    Tool,

    System,
}

/// <summary>Why a body cannot be served, in the words the client gets.</summary>
/// <param name="Code">The error's code, such as <c>invalid_json</c>.</param>
/// <param name="Message">What is wrong and what to do; never a part of the body's text.</param>
/// <param name="Param">The offending field; null when none.</param>
public sealed record BodyProblem(string Code, string Message, string? Param);

/// <summary>Chained 64-bit hashes, one per full block of the prompt, each covering all blocks before it.</summary>
/// <param name="Blocks">Hashes in order; may be shared, never written.</param>
/// <param name="BlockBytes">Bytes of prompt text per block.</param>
public sealed record PrefixFingerprint(ulong[] Blocks, int BlockBytes)
{
    public static readonly PrefixFingerprint Empty = new([], 256);
}
