using System.Text.Json;

namespace Gateway.Simulation.Serving;

/// <summary>The fields that all generating routes share; what is absent has vLLM's default.</summary>
internal sealed record SamplingFields
{
    public int? MaxTokens { get; private init; }

    public int MinTokens { get; private init; }

    public bool IgnoresEnd { get; private init; }

    public int Choices { get; private init; } = 1;

    public IReadOnlyList<string> Stop { get; private init; } = [];

    public bool IsStream { get; private init; }

    public bool IncludesUsage { get; private init; }

    public bool IncludesUsageInEveryChunk { get; private init; }

    public int Priority { get; private init; }

    /// <summary>Alternatives of each token whose log probabilities are asked for; null: none are asked for, not even the tokens' own.</summary>
    public int? Logprobs { get; private init; }

    /// <summary>Reads the fields; the error names the first one of a wrong type or range.</summary>
    public static SamplingFields? Read(JsonElement root, ReadOnlySpan<string> maxNames, out EngineError? error)
    {
        int? maxTokens = null;
        error = null;
        foreach (var name in maxNames)
        {
            if (!Integer(root, name, 0, int.MaxValue, ref maxTokens, ref error))
            {
                return null;
            }
        }

        int? minTokens = null, choices = null, priority = null;
        if (!Integer(root, "min_tokens", 0, int.MaxValue, ref minTokens, ref error) || !Integer(root, "n", 1, 128, ref choices, ref error)
            || !Integer(root, "priority", int.MinValue, int.MaxValue, ref priority, ref error))
        {
            return null;
        }

        if (SamplingRanges.Problem(root) is { } outOfRange)
        {
            error = outOfRange;
            return null;
        }

        var hasOptions = root.TryGetProperty("stream_options", out var options) && options.ValueKind == JsonValueKind.Object;
        if (hasOptions && options.EnumerateObject().Any() && !IsTrue(root, "stream"))
        {
            error = EngineError.BadRequest("Stream options can only be defined when `stream=True`.", "stream_options");
            return null;
        }

        return new SamplingFields
        {
            MaxTokens = maxTokens,
            MinTokens = minTokens ?? 0,
            IgnoresEnd = IsTrue(root, "ignore_eos"),
            Choices = choices ?? 1,
            Stop = Strings(root, "stop").Concat(Strings(root, "stop_sequences")).Where(stop => stop.Length > 0).ToArray(),
            IsStream = IsTrue(root, "stream"),
            IncludesUsage = hasOptions && IsTrue(options, "include_usage"),
            IncludesUsageInEveryChunk = hasOptions && IsTrue(options, "continuous_usage_stats"),
            Priority = priority ?? 0,
            Logprobs = SamplingRanges.Logprobs(root),
        };
    }

    public static bool IsTrue(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    private static bool Integer(JsonElement root, string name, int least, int most, ref int? value, ref EngineError? error)
    {
        if (!root.TryGetProperty(name, out var field) || field.ValueKind == JsonValueKind.Null)
        {
            return true;
        }

        if (field.ValueKind == JsonValueKind.Number && field.TryGetInt32(out var number) && number >= least && number <= most)
        {
            value ??= number;
            return true;
        }

        error = EngineError.BadRequest($"{name} must be an integer of at least {least}.", name);
        return false;
    }

    private static IEnumerable<string> Strings(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var value))
        {
            return [];
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => [PromptText.StringOf(value)],
            JsonValueKind.Array => value.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(PromptText.StringOf),
            _ => [],
        };
    }
}
