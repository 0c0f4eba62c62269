using System.Text.Json;

namespace Gateway.Requests;

internal ref partial struct BodyPass
{
    private void ReadOption(BodyField field)
    {
        if (!_route.Generates)
        {
            ReadAffinity(field);
            return;
        }

        switch (field)
        {
            case BodyField.Stream:
                _isStreaming = ReadSwitch("stream");
                break;
            case BodyField.StreamOptions when _route.Kind is ApiKind.ChatCompletions or ApiKind.Completions:
                ReadStreamOptions();
                break;
            case BodyField.MaxCompletionTokens when _route.Kind == ApiKind.ChatCompletions:
                _maxCompletionTokens = ReadLimit("max_completion_tokens");
                break;
            case BodyField.MaxTokens when _route.Kind != ApiKind.Responses:
                _maxTokens = ReadLimit("max_tokens");
                break;
            case BodyField.MaxOutputTokens when _route.Kind == ApiKind.Responses:
                _maxOutputTokens = ReadLimit("max_output_tokens");
                break;
            case BodyField.MinTokens:
                _minTokens = ReadCount("min_tokens", 0) ?? 0;
                break;
            case BodyField.IgnoreEos:
                _ignoresEos = ReadSwitch("ignore_eos");
                break;
            case BodyField.N when _route.Kind is ApiKind.ChatCompletions or ApiKind.Completions:
                _n = ReadCount("n", 1) ?? 0;
                break;
            case BodyField.BestOf when _route.Kind is ApiKind.ChatCompletions or ApiKind.Completions:
                _bestOf = ReadCount("best_of", 1) ?? 0;
                break;
            case BodyField.Store when _route.Kind == ApiKind.Responses:
                _isStored = ReadSwitch("store");
                break;
            case BodyField.Background when _route.Kind == ApiKind.Responses:
                _isBackground = ReadSwitch("background");
                break;
            case BodyField.ServiceTier:
                _tier = TextIs("priority"u8) ? PriorityClass.Interactive : TextIs("flex"u8) ? PriorityClass.Batch : PriorityClass.Default;
                SkipValue();
                break;
            case BodyField.CacheSalt:
                _saltText = _json.TokenType == JsonTokenType.String ? TokenStart..TokenEnd : null;
                SkipValue();
                break;
            default:
                ReadFeature(field);
                break;
        }
    }

    private void ReadFeature(BodyField field)
    {
        switch (field)
        {
            case BodyField.ToolChoice or BodyField.FunctionCall:
                ReadToolChoice();
                break;
            case BodyField.ResponseFormat:
                _isStructured |= ReadFormat();
                break;
            case BodyField.Text when _route.Kind == ApiKind.Responses:
                ReadMembers(static (ref BodyPass pass) =>
                {
                    if (!pass.EnterMember("format"u8))
                    {
                        return false;
                    }

                    pass._isStructured |= pass.ReadFormat();
                    return true;
                });
                break;
            case BodyField.Grammar:
                _isStructured |= _json.TokenType is not (JsonTokenType.Null or JsonTokenType.False);
                SkipValue();
                break;
            case BodyField.LogProbabilities:
                _wantsLogProbabilities |= _json.TokenType is JsonTokenType.True or JsonTokenType.Number;
                SkipValue();
                break;
            case BodyField.ReasoningEffort or BodyField.Reasoning or BodyField.Thinking or BodyField.ThinkingTokenBudget
                or BodyField.ChatTemplateKwargs or BodyField.OutputConfig:
                ReadReasoning(field);
                break;
            case BodyField.AgentHints:
                ReadHint("agent_hints"u8, "osl"u8, hasTrustedOnly: true);
                break;
            case BodyField.ExtraArguments:
                ReadHint("agentic_context"u8, "expected_output_length"u8, hasTrustedOnly: false);
                break;
            default:
                ReadAffinity(field);
                break;
        }
    }

    /// <summary>The affinity keys of the body, the most telling one first.</summary>
    private void ReadAffinity(BodyField field)
    {
        switch (field)
        {
            case BodyField.PromptCacheKey:
                TakeSession(1);
                break;
            case BodyField.SessionId:
                TakeSession(2);
                break;
            case BodyField.Conversation when _json.TokenType == JsonTokenType.StartObject:
                ReadMembers(static (ref BodyPass pass) => pass.EnterMember("id"u8) && pass.TakeSession(3));
                break;
            case BodyField.Conversation:
                TakeSession(3);
                break;
            case BodyField.PreviousResponseId when _route.Kind == ApiKind.Responses:
                ReadPreviousResponse();
                break;
            case BodyField.Metadata:
                ReadMembers(static (ref BodyPass pass) => pass.EnterMember("user_id"u8) && pass.TakeSession(5));
                break;
            case BodyField.User:
                TakeSession(6);
                break;
            default:
                SkipValue();
                break;
        }
    }

    private void ReadPreviousResponse()
    {
        if (_json.TokenType is not (JsonTokenType.String or JsonTokenType.Null))
        {
            Refuse("previous_response_id", "a string");
        }

        _previousResponse = _hasher.ResponseKey(KeyOfText());
        TakeSession(4);
    }

    /// <summary>Keeps the key unless a more telling one was found. Passes the value.</summary>
    private bool TakeSession(int rank)
    {
        if (KeyOfText() is var key && key != 0 && (_sessionRank == 0 || rank <= _sessionRank))
        {
            (_session, _sessionRank) = (key, rank);
        }

        SkipValue();
        return true;
    }

    private readonly ulong KeyOfText()
    {
        if (_json.TokenType != JsonTokenType.String || _json.ValueSpan.IsEmpty)
        {
            return 0;
        }

        Span<byte> text = stackalloc byte[256];
        return _json.ValueIsEscaped && JsonText.TryUnescape(_json.ValueSpan, text, out var written)
            ? _hasher.Key(text[..written])
            : _hasher.Key(_json.ValueSpan);
    }

    private void ReadStreamOptions()
    {
        _streamOptions = null;
        _includeUsage = null;
        _wantsUsage = false;
        var start = TokenStart;
        if (_json.TokenType is not (JsonTokenType.StartObject or JsonTokenType.Null))
        {
            Refuse("stream_options", "an object");
            SkipValue();
            return;
        }

        ReadMembers(static (ref BodyPass pass) =>
        {
            if (!pass.EnterMember("include_usage"u8))
            {
                return false;
            }

            pass._includeUsage = pass.TokenStart..pass.TokenEnd;
            pass._wantsUsage = pass.ReadSwitch("stream_options.include_usage");
            return true;
        });
        _streamOptions = start..TokenEnd;
    }

    private void ReadPriority()
    {
        _priority = TokenStart..TokenEnd;
        if (_json.TokenType == JsonTokenType.Null || (_json.TokenType == JsonTokenType.Number && _json.TryGetInt64(out _)))
        {
            return;
        }

        _priority = null;
        Refuse("priority", "an integer");
        SkipValue();
    }

    private void ReadHint(ReadOnlySpan<byte> outer, ReadOnlySpan<byte> inner, bool hasTrustedOnly)
    {
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            SkipValue();
            return;
        }

        _followsTrustedOnly = false;
        while (NextMember())
        {
            var start = TokenStart;
            var isTrustedOnly = hasTrustedOnly && (NameIs("cache_salt"u8) || NameIs("backend_instance_id"u8));
            if (EnterMember(outer) && _json.TokenType == JsonTokenType.StartObject)
            {
                ReadHintMembers(inner);
            }
            else
            {
                SkipValue();
            }

            NoteMember(start, isTrustedOnly);
        }
    }

    private void ReadHintMembers(ReadOnlySpan<byte> inner)
    {
        while (NextMember())
        {
            if (EnterMember(inner) && TryReadInteger(out var tokens) && tokens > 0)
            {
                _expectedOutput = (int)Math.Min(tokens, int.MaxValue);
            }

            SkipValue();
        }
    }
}
