namespace Gateway.Requests;

/// <summary>The top-level members that the gateway reads; every other member passes unread.</summary>
internal enum BodyField
{
    Unknown,
    Model,
    Stream,
    StreamOptions,
    MaxCompletionTokens,
    MaxTokens,
    MaxOutputTokens,
    MinTokens,
    IgnoreEos,
    N,
    Stop,
    BestOf,
    Prompt,
    Suffix,
    Messages,
    System,
    Input,
    Instructions,
    Query,
    Documents,
    Text,
    Text1,
    Text2,
    Tokens,
    Tools,
    ToolChoice,
    FunctionCall,
    ResponseFormat,
    Grammar,
    OutputConfig,
    LogProbabilities,
    ReasoningEffort,
    Reasoning,
    Thinking,
    ThinkingTokenBudget,
    ChatTemplateKwargs,
    PreviousResponseId,
    Store,
    Background,
    Priority,
    ServiceTier,
    PromptCacheKey,
    SessionId,
    Conversation,
    Metadata,
    User,
    CacheSalt,
    AgentHints,
    ExtraArguments,

    /// <summary>Steers the engine itself: only trusted callers may send it.</summary>
    TrustedOnly,

    /// <summary><c>model</c> in other letters, which engines written in Go take for the same.</summary>
    ModelVariant,
}

/// <summary>Finds a top-level member by its unescaped name.</summary>
internal static class BodyFields
{
    /// <summary>Longest name in the table; a longer one is unknown.</summary>
    public const int MaxNameBytes = 32;

    private static readonly (byte[] Name, BodyField Field)[][] ByLength = Build(new()
    {
        ["model"] = BodyField.Model,
        ["stream"] = BodyField.Stream,
        ["stream_options"] = BodyField.StreamOptions,
        ["max_completion_tokens"] = BodyField.MaxCompletionTokens,
        ["max_tokens"] = BodyField.MaxTokens,
        ["max_output_tokens"] = BodyField.MaxOutputTokens,
        ["min_tokens"] = BodyField.MinTokens,
        ["ignore_eos"] = BodyField.IgnoreEos,
        ["stop"] = BodyField.Stop,
        ["stop_sequences"] = BodyField.Stop,
        ["n"] = BodyField.N,
        ["best_of"] = BodyField.BestOf,
        ["prompt"] = BodyField.Prompt,
        ["suffix"] = BodyField.Suffix,
        ["messages"] = BodyField.Messages,
        ["system"] = BodyField.System,
        ["input"] = BodyField.Input,
        ["instructions"] = BodyField.Instructions,
        ["query"] = BodyField.Query,
        ["documents"] = BodyField.Documents,
        ["text"] = BodyField.Text,
        ["text_1"] = BodyField.Text1,
        ["text_2"] = BodyField.Text2,
        ["data_1"] = BodyField.Text1,
        ["data_2"] = BodyField.Text2,
        ["queries"] = BodyField.Query,
        ["items"] = BodyField.Documents,
        ["tokens"] = BodyField.Tokens,
        ["tools"] = BodyField.Tools,
        ["functions"] = BodyField.Tools,
        ["tool_choice"] = BodyField.ToolChoice,
        ["function_call"] = BodyField.FunctionCall,
        ["response_format"] = BodyField.ResponseFormat,
        ["structured_outputs"] = BodyField.Grammar,
        ["guided_json"] = BodyField.Grammar,
        ["guided_regex"] = BodyField.Grammar,
        ["guided_choice"] = BodyField.Grammar,
        ["guided_grammar"] = BodyField.Grammar,
        ["regex"] = BodyField.Grammar,
        ["ebnf"] = BodyField.Grammar,
        ["json_schema"] = BodyField.Grammar,
        ["grammar"] = BodyField.Grammar,
        ["output_config"] = BodyField.OutputConfig,
        ["logprobs"] = BodyField.LogProbabilities,
        ["top_logprobs"] = BodyField.LogProbabilities,
        ["prompt_logprobs"] = BodyField.LogProbabilities,
        ["reasoning_effort"] = BodyField.ReasoningEffort,
        ["reasoning"] = BodyField.Reasoning,
        ["thinking"] = BodyField.Thinking,
        ["thinking_token_budget"] = BodyField.ThinkingTokenBudget,
        ["chat_template_kwargs"] = BodyField.ChatTemplateKwargs,
        ["previous_response_id"] = BodyField.PreviousResponseId,
        ["store"] = BodyField.Store,
        ["background"] = BodyField.Background,
        ["priority"] = BodyField.Priority,
        ["service_tier"] = BodyField.ServiceTier,
        ["prompt_cache_key"] = BodyField.PromptCacheKey,
        ["session_id"] = BodyField.SessionId,
        ["conversation"] = BodyField.Conversation,
        ["metadata"] = BodyField.Metadata,
        ["user"] = BodyField.User,
        ["cache_salt"] = BodyField.CacheSalt,
        ["nvext"] = BodyField.AgentHints,
        ["vllm_xargs"] = BodyField.ExtraArguments,
        ["extra_key"] = BodyField.TrustedOnly,
        ["kv_transfer_params"] = BodyField.TrustedOnly,
        ["ec_transfer_params"] = BodyField.TrustedOnly,
        ["bootstrap_host"] = BodyField.TrustedOnly,
        ["bootstrap_port"] = BodyField.TrustedOnly,
        ["bootstrap_room"] = BodyField.TrustedOnly,
        ["routed_dp_rank"] = BodyField.TrustedOnly,
        ["data_parallel_rank"] = BodyField.TrustedOnly,
        ["rid"] = BodyField.TrustedOnly,
        ["request_id"] = BodyField.TrustedOnly,
        ["session_params"] = BodyField.TrustedOnly,
        ["routing_key"] = BodyField.TrustedOnly,
        ["lora_path"] = BodyField.TrustedOnly,
        ["return_hidden_states"] = BodyField.TrustedOnly,
        ["custom_labels"] = BodyField.TrustedOnly,
        ["id_slot"] = BodyField.TrustedOnly,
        ["chat_template"] = BodyField.TrustedOnly,
        ["mm_processor_kwargs"] = BodyField.TrustedOnly,
        ["keep_alive"] = BodyField.TrustedOnly,
        ["_debug_render_only"] = BodyField.TrustedOnly,
    });

    public static BodyField Find(ReadOnlySpan<byte> name)
    {
        if (name.Length <= MaxNameBytes)
        {
            foreach (var (known, field) in ByLength[name.Length])
            {
                if (name.SequenceEqual(known))
                {
                    return field;
                }
            }
        }

        return FindVariant(name);
    }

    /// <summary>Whether only trusted callers may send it.</summary>
    public static bool IsTrustedOnly(BodyField field) => field is BodyField.TrustedOnly or BodyField.Priority or BodyField.CacheSalt;

    // Engines written in Go match names without regard to case, so a field that is to be removed is found in any case.
    private static BodyField FindVariant(ReadOnlySpan<byte> name)
    {
        if (name.Length > MaxNameBytes || name.IndexOfAnyInRange((byte)'A', (byte)'Z') < 0)
        {
            return BodyField.Unknown;
        }
        foreach (var (known, field) in ByLength[name.Length])
        {
            if (System.Text.Ascii.EqualsIgnoreCase(name, known))
            {
                return field == BodyField.Model ? BodyField.ModelVariant : IsTrustedOnly(field) ? BodyField.TrustedOnly : BodyField.Unknown;
            }
        }
        return BodyField.Unknown;
    }

    private static (byte[] Name, BodyField Field)[][] Build(Dictionary<string, BodyField> names) =>
    [
        .. Enumerable.Range(0, MaxNameBytes + 1).Select(length => names
            .Where(pair => pair.Key.Length == length)
            .Select(pair => (System.Text.Encoding.UTF8.GetBytes(pair.Key), pair.Value))
            .ToArray()),
    ];
}
