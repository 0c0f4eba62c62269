using System.Text.Json;

namespace Gateway.Forwarding.Answers;

internal ref partial struct AnswerPass
{
    private void Conclude()
    {
        if (_type is EventType.Delta or EventType.BlockDelta or EventType.BlockStart && _hasDeltaText)
        {
            _facts.HasContent = true;
            _facts.TokenGuess = 1;
        }

        // TensorRT-LLM and LMDeploy answer with a bare code and message.
        var isBareError = _hasCode && _plainMessage is not null && !_hasChoices;
        _facts.IsErrorEvent = _type is EventType.Error or EventType.Failed;
        _facts.IsError = _saysError || isBareError || _facts.IsErrorEvent;
        _facts.ErrorMessage = _facts.IsError ? _facts.ErrorMessage ?? _plainMessage : null;
        _facts.IsTerminal = _facts.FinishedChoices > 0 || _type is EventType.End or EventType.Failed;
        _facts.Usage = _usage.Usage();
        _facts.IsUsageOnly = _hasChoices && _facts.Choices == 0 && _facts.UsageValue is not null && !_hasWorth && !_facts.IsError;
    }

    private bool TakeFinish()
    {
        var kind = FinishOf();
        _facts.Finish = _facts.Finish == FinishKind.None ? kind : _facts.Finish;
        Skip();
        return kind != FinishKind.None;
    }

    private readonly FinishKind FinishOf()
    {
        if (!HasText)
        {
            return FinishKind.None;
        }

        var reason = _json.ValueSpan;
        return reason switch
        {
            _ when reason.SequenceEqual("stop"u8) || reason.SequenceEqual("end_turn"u8) || reason.SequenceEqual("stop_sequence"u8)
                || reason.SequenceEqual("eos_token"u8) => FinishKind.Stop,
            _ when reason.SequenceEqual("length"u8) || reason.SequenceEqual("max_tokens"u8) => FinishKind.Length,
            _ when reason.SequenceEqual("tool_calls"u8) || reason.SequenceEqual("tool_use"u8)
                || reason.SequenceEqual("function_call"u8) => FinishKind.ToolCalls,
            _ when reason.SequenceEqual("content_filter"u8) || reason.SequenceEqual("refusal"u8) => FinishKind.Filtered,
            _ when reason.SequenceEqual("abort"u8) || reason.SequenceEqual("error"u8) => FinishKind.Aborted,
            _ => FinishKind.Other,
        };
    }

    /// <summary>The status of a response object.</summary>
    private void ReadStatus()
    {
        var kind = _json.TokenType != JsonTokenType.String ? FinishKind.None
            : TextIs("completed"u8) ? FinishKind.Stop
            : TextIs("incomplete"u8) ? FinishKind.Length
            : TextIs("failed"u8) || TextIs("cancelled"u8) ? FinishKind.Aborted
            : FinishKind.None;
        _facts.Finish = _facts.Finish == FinishKind.None ? kind : _facts.Finish;
        Skip();
    }

    private void ReadUsage()
    {
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            Skip();
            return;
        }

        var start = Start;
        var isTopLevel = _json.CurrentDepth == 1;
        while (NextMember())
        {
            ReadCount();
        }

        _facts.UsageValue = isTopLevel ? start..End : _facts.UsageValue;
    }

    /// <summary>One member of a usage object, in the words of any of the APIs.</summary>
    private void ReadCount()
    {
        if (NameIs("prompt_tokens_details"u8) || NameIs("input_tokens_details"u8)
            || NameIs("completion_tokens_details"u8) || NameIs("output_tokens_details"u8))
        {
            _json.Read();
            if (!EnterObject())
            {
                return;
            }

            while (NextMember())
            {
                ReadDetail();
            }
        }
        else if (NameIs("prompt_tokens"u8))
        {
            _usage.Prompt = Count();
        }
        else if (NameIs("input_tokens"u8))
        {
            _usage.Input = Count();
        }
        else if (NameIs("completion_tokens"u8) || NameIs("output_tokens"u8))
        {
            _usage.Output = Count();
        }
        else if (NameIs("cache_read_input_tokens"u8))
        {
            _usage.CacheRead = Count();
        }
        else if (NameIs("cache_creation_input_tokens"u8))
        {
            _usage.CacheWritten = Count();
        }
        else if (NameIs("total_tokens"u8))
        {
            _usage.Total = Count();
        }
        else
        {
            ReadDetail();
        }
    }

    private void ReadDetail()
    {
        if (NameIs("cached_tokens"u8))
        {
            _usage.Cached = Count();
        }
        else if (NameIs("reasoning_tokens"u8))
        {
            _usage.Reasoning = Count();
        }
        else
        {
            _json.Read();
            Skip();
        }
    }

    /// <summary>llama.cpp's own counts: tokens computed and tokens found in the cache.</summary>
    private void ReadTimings()
    {
        if (!EnterObject())
        {
            return;
        }

        while (NextMember())
        {
            if (NameIs("prompt_n"u8))
            {
                _usage.Computed = Count();
            }
            else if (NameIs("cache_n"u8))
            {
                _usage.CacheRepeated = Count();
            }
            else if (NameIs("predicted_n"u8))
            {
                _usage.Predicted = Count();
            }
            else
            {
                _json.Read();
                Skip();
            }
        }
    }

    /// <summary>A count that an engine may also write as null, or wrongly; only a whole number that fits is believed.</summary>
    private int? Count()
    {
        _json.Read();
        if (_json.TokenType == JsonTokenType.Number && _json.TryGetInt32(out var count) && count >= 0)
        {
            return count;
        }

        Skip();
        return null;
    }
}

/// <summary>The counts as found, before they are brought into one form.</summary>
internal struct UsageCounts
{
    public int? Prompt;
    public int? Input;
    public int? Output;
    public int? Total;
    public int? Cached;
    public int? CacheRead;
    public int? CacheWritten;
    public int? Reasoning;
    public int? Computed;
    public int? CacheRepeated;
    public int? Predicted;

    public readonly AnswerUsage Usage()
    {
        // Anthropic counts what the cache gave apart from the input; OpenAI counts it inside.
        var prompt = Prompt ?? Sum(Input, CacheRead, CacheWritten);
        var isTimed = Computed is not null;
        prompt ??= isTimed ? Sum(Computed, CacheRepeated, 0) : null;
        var output = Output ?? Predicted;
        if (prompt is null && output is null)
        {
            prompt = Total;
        }

        var cached = Cached ?? CacheRead ?? CacheRepeated;
        cached ??= isTimed && prompt >= Computed ? prompt - Computed : null;
        return new(prompt, output, cached is { } found && prompt is { } all ? Math.Min(found, all) : cached, Reasoning);
    }

    private static int? Sum(int? first, int? second, int? third) =>
        first is { } value ? (int)Math.Min((long)value + (second ?? 0) + (third ?? 0), int.MaxValue) : null;
}
