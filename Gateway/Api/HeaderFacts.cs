using System.Diagnostics;
using System.Globalization;
using System.Text;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace Gateway.Api;

/// <summary>What a request's headers ask of the gateway. Immutable.</summary>
public sealed record HeaderFacts
{
    private const string OwnPriority = "x-gateway-priority";
    private const string OwnDeadline = "x-gateway-deadline-ms";
    private const string OwnTtft = "x-gateway-ttft-slo-ms";
    private const string LiteLlmTimeout = "x-litellm-timeout";
    private const string LiteLlmStreamTimeout = "x-litellm-stream-timeout";
    private const string LiteLlmRetries = "x-litellm-num-retries";
    private const int MaxKeyLength = 4_096;
    private const int MaxPriorityLevel = 1_000_000;

    // Names that clients and coding tools already send, in order of precedence.
    private static readonly string[] SessionHeaders =
    [
        "x-session-id", "x-smg-routing-key", "x-claude-code-session-id", "x-session-affinity", "session-id", "session_id",
        "x-dynamo-session-id", "x-aibrix-session-key", "x-litellm-session-id",
    ];

    private static readonly HeaderFacts None = new();

    private static readonly string[] KeyHeaders = ["Authorization", "x-api-key", "api-key"];

    private static readonly string[] PriorityAliases =
        ["x-smg-priority", "x-request-priority", "x-llm-d-inference-objective", "x-dynamo-meta-policy-class"];

    private static readonly string[] TtftAliases = ["x-llm-d-slo-ttft-ms", "x-slo-ttft-ms", "x-sgl-ttft-slo-ms"];

    private static readonly string[] FlowHeaders = ["x-gateway-fairness-id", "x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id"];

    private static readonly string[] RequestIdHeaders = ["x-request-id", "x-correlation-id", "x-trace-id"];

    /// <summary>Every name under which a client may say what it asks of the gateway.</summary>
    internal static IEnumerable<string> Names =>
    [
        OwnPriority, .. PriorityAliases, OwnDeadline, OwnTtft, .. TtftAliases, LiteLlmTimeout, LiteLlmStreamTimeout, LiteLlmRetries,
        .. SessionHeaders, .. FlowHeaders, .. RequestIdHeaders,
    ];

    /// <summary>Null: no header names a class.</summary>
    public PriorityClass? Priority { get; init; }

    /// <summary>Order within the class, from an integer priority; 0 otherwise.</summary>
    public int PriorityLevel { get; init; }

    public TimeSpan? Deadline { get; init; }

    public TimeSpan? TimeToFirstTokenSlo { get; init; }

    /// <summary>Longest life that the client allows a request that is not streamed; null: it names none.</summary>
    public TimeSpan? PlainTimeout { get; init; }

    /// <summary>The same for a stream.</summary>
    public TimeSpan? StreamTimeout { get; init; }

    /// <summary>Most retries that the client allows; null: it names no number.</summary>
    public int? MaxRetries { get; init; }

    /// <summary>Keyed hash of the session header; 0 when there is none.</summary>
    public ulong SessionKey { get; init; }

    /// <summary>Keyed hash of the API key as sent; 0 when there is none.</summary>
    public ulong TenantKey { get; init; }

    /// <summary>Keyed hash of the flow that the client names among the requests of its API key, or among those without one; 0 when it names none.</summary>
    public ulong FlowKey { get; init; }

    /// <summary>Reads the headers. One that cannot be parsed is a problem, unless it is a peer's name for one of our own: then it is ignored.</summary>
    public static ApiProblem? Read(IHeaderDictionary headers, PrefixHasher hasher, out HeaderFacts facts)
    {
        facts = None;
        if (!TryPriority(headers, out var priority, out var level))
        {
            return OutcomeMap.BadHeader(OwnPriority, "interactive, default, batch or an integer");
        }
        if (!HeaderNumbers.TryMilliseconds(headers, OwnDeadline, out var deadline))
        {
            return OutcomeMap.BadHeader(OwnDeadline, HeaderNumbers.Milliseconds);
        }
        if (!HeaderNumbers.TryMilliseconds(headers, OwnTtft, out var ttft))
        {
            return OutcomeMap.BadHeader(OwnTtft, HeaderNumbers.Milliseconds);
        }
        for (var i = 0; ttft is null && i < TtftAliases.Length; i++)
        {
            HeaderNumbers.TryMilliseconds(headers, TtftAliases[i], out ttft);
        }
        if (ReadLimits(headers, out var plainTimeout, out var streamTimeout, out var retries) is { } badLimit)
        {
            return badLimit;
        }
        var client = KeyOf(headers, KeyHeaders, hasher);
        facts = new HeaderFacts
        {
            SessionKey = KeyOf(headers, SessionHeaders, hasher),
            TenantKey = client,
            FlowKey = FlowOf(headers, client, hasher),
            Priority = priority,
            PriorityLevel = level,
            Deadline = deadline,
            TimeToFirstTokenSlo = ttft,
            PlainTimeout = plainTimeout,
            StreamTimeout = streamTimeout ?? plainTimeout,
            MaxRetries = retries,
        };
        return null;
    }

    /// <summary>Keyed hash of the flow that the headers name, apart from those of other clients; 0 when they name none.</summary>
    public static ulong FlowOf(IHeaderDictionary headers, ulong clientKey, PrefixHasher hasher) =>
        KeyOf(headers, FlowHeaders, hasher) is not 0 and var flow ? hasher.Combine(clientKey, flow) : 0;

    /// <summary>The client's request id where it is safe to echo and log, else a new one.</summary>
    public static string RequestId(IHeaderDictionary headers)
    {
        foreach (var name in RequestIdHeaders)
        {
            if (headers.TryGetValue(name, out var values) && values.Count == 1 && IsSafe(values[0]))
            {
                return values[0]!;
            }
        }
        return RequestIds.Next();
    }

    /// <summary>The trace that the client's <c>traceparent</c> names; the default where it names none.</summary>
    public static ActivityTraceId TraceId(IHeaderDictionary headers) =>
        headers.TryGetValue("traceparent", out var client) && ActivityContext.TryParse(client, null, out var context) ? context.TraceId : default;

    private static ApiProblem? ReadLimits(IHeaderDictionary headers, out TimeSpan? plain, out TimeSpan? stream, out int? retries)
    {
        stream = null;
        retries = null;
        return !HeaderNumbers.TrySeconds(headers, LiteLlmTimeout, out plain) ? OutcomeMap.BadHeader(LiteLlmTimeout, HeaderNumbers.Seconds)
            : !HeaderNumbers.TrySeconds(headers, LiteLlmStreamTimeout, out stream) ? OutcomeMap.BadHeader(LiteLlmStreamTimeout, HeaderNumbers.Seconds)
            : !HeaderNumbers.TryCount(headers, LiteLlmRetries, out retries) ? OutcomeMap.BadHeader(LiteLlmRetries, HeaderNumbers.Count)
            : null;
    }

    private static bool IsSafe(string? id) => id is { Length: > 0 and <= 128 }
        && id.AsSpan().IndexOfAnyExcept(SafeCharacters) < 0;

    private static readonly System.Buffers.SearchValues<char> SafeCharacters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@+=");

    private static bool TryPriority(IHeaderDictionary headers, out PriorityClass? priority, out int level)
    {
        (priority, level) = (null, 0);
        if (headers.TryGetValue(OwnPriority, out var own))
        {
            return (priority = PriorityOf(own.ToString(), out level)) is not null;
        }
        foreach (var alias in PriorityAliases)
        {
            if (headers.TryGetValue(alias, out var value) && (priority = PriorityOf(value.ToString(), out level)) is not null)
            {
                return true;
            }
        }
        return true;
    }

    // An integer above 0 means interactive, below 0 batch; within a class the larger goes first. Null: neither that nor a word for a class.
    private static PriorityClass? PriorityOf(string word, out int level)
    {
        level = 0;
        switch (word.Trim().ToLowerInvariant())
        {
            case "system" or "interactive" or "high":
                return PriorityClass.Interactive;
            case "default" or "normal" or "standard":
                return PriorityClass.Default;
            case "batch" or "bulk" or "low":
                return PriorityClass.Batch;
        }
        var digits = word.AsSpan(word is ['-' or '+', ..] ? 1 : 0);
        if (digits.IsEmpty || digits.ContainsAnyExceptInRange('0', '9'))
        {
            return null;
        }
        // With more digits than a number of ours has, it is beyond every level, too.
        var magnitude = int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var small) ? Math.Min(small, MaxPriorityLevel) : MaxPriorityLevel;
        level = word[0] == '-' ? -magnitude : magnitude;
        return level > 0 ? PriorityClass.Interactive : level < 0 ? PriorityClass.Batch : PriorityClass.Default;
    }

    private static ulong KeyOf(IHeaderDictionary headers, string[] names, PrefixHasher hasher)
    {
        foreach (var name in names)
        {
            if (headers.TryGetValue(name, out var values) && values.ToString() is { Length: > 0 and <= MaxKeyLength } key)
            {
                return hasher.Key(Encoding.UTF8.GetBytes(key));
            }
        }
        return 0;
    }
}
