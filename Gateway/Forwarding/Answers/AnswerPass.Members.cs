using System.Text.Json;

namespace Gateway.Forwarding.Answers;

internal ref partial struct AnswerPass
{
    private void ReadTopLevel()
    {
        switch (_json.ValueSpan.Length)
        {
            case 2 when NameIs("id"u8):
            case 7 when NameIs("created"u8):
            case 12 when NameIs("service_tier"u8):
            case 18 when NameIs("system_fingerprint"u8):
                _json.Read();
                Skip();
                break;
            case 4 when NameIs("type"u8):
                _json.Read();
                _type = _json.TokenType == JsonTokenType.String ? TypeOf(_json.ValueSpan) : EventType.None;
                Skip();
                break;
            case 4 when NameIs("code"u8):
                _json.Read();
                _hasCode = _json.TokenType is JsonTokenType.Number or JsonTokenType.String;
                Skip();
                break;
            case 5 when NameIs("model"u8):
                _json.Read();
                _facts.ModelValue = StringValue();
                Skip();
                break;
            case 4 when NameIs("item"u8):
                _json.Read();
                _hasWorth |= _json.TokenType != JsonTokenType.Null;
                ReadNamed();
                break;
            case 5 when NameIs("usage"u8):
                _json.Read();
                ReadUsage();
                break;
            case 5 when NameIs("error"u8):
                _json.Read();
                ReadError();
                break;
            case 5 when NameIs("delta"u8):
                _json.Read();
                ReadDelta();
                break;
            case 6 when NameIs("object"u8):
                _json.Read();
                _saysError |= TextIs("error"u8);
                Skip();
                break;
            case 6 when NameIs("status"u8):
                _json.Read();
                ReadStatus();
                break;
            case 7 when NameIs("choices"u8):
                _json.Read();
                ReadChoices();
                break;
            case 7 when NameIs("message"u8):
                _json.Read();
                _plainMessage = StringText();
                ReadEnvelope();
                break;
            case 7 when NameIs("timings"u8):
                _json.Read();
                ReadTimings();
                break;
            case 8 when NameIs("response"u8):
                _json.Read();
                ReadEnvelope();
                break;
            case 11 when NameIs("stop_reason"u8):
                _json.Read();
                TakeFinish();
                break;
            case 13 when NameIs("content_block"u8):
                _json.Read();
                ReadBlock();
                break;
            case 15 when NameIs("sequence_number"u8):
                _facts.SequenceNumber = Count();
                break;
            default:
                _json.Read();
                _hasWorth |= _json.TokenType != JsonTokenType.Null;
                Skip();
                break;
        }
    }

    public static EventType TypeOf(ReadOnlySpan<byte> type) => type switch
    {
        _ when type.SequenceEqual("error"u8) => EventType.Error,
        _ when type.SequenceEqual("content_block_delta"u8) => EventType.BlockDelta,
        _ when type.SequenceEqual("content_block_start"u8) => EventType.BlockStart,
        _ when type.SequenceEqual("message_delta"u8) => EventType.MessageDelta,
        _ when type.SequenceEqual("message_stop"u8) || type.SequenceEqual("response.completed"u8)
            || type.SequenceEqual("response.incomplete"u8) || type.SequenceEqual("response.cancelled"u8)
            || type.SequenceEqual("transcript.text.done"u8) || type.SequenceEqual("speech.audio.done"u8) => EventType.End,
        _ when type.SequenceEqual("response.failed"u8) => EventType.Failed,
        _ when type.EndsWith(".delta"u8) => EventType.Delta,
        _ => EventType.Other,
    };

    /// <summary>The answer that an event wraps: <c>response</c>, or Anthropic's <c>message</c>.</summary>
    private void ReadEnvelope()
    {
        if (!EnterObject())
        {
            return;
        }

        while (NextMember())
        {
            if (NameIs("model"u8))
            {
                _json.Read();
                _facts.NestedModelValue = StringValue();
                Skip();
            }
            else if (NameIs("usage"u8))
            {
                _json.Read();
                ReadUsage();
            }
            else if (NameIs("error"u8))
            {
                _json.Read();
                ReadError();
            }
            else if (NameIs("status"u8))
            {
                _json.Read();
                ReadStatus();
            }
            else
            {
                _json.Read();
                Skip();
            }
        }
    }

    private void ReadError()
    {
        _saysError |= _json.TokenType is JsonTokenType.String or JsonTokenType.StartObject;
        _facts.ErrorMessage ??= StringText();
        if (!EnterObject())
        {
            return;
        }

        while (NextMember())
        {
            var isMessage = NameIs("message"u8);
            _json.Read();
            _facts.ErrorMessage ??= isMessage ? StringText() : null;
            Skip();
        }
    }
}
