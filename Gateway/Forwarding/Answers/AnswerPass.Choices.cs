using System.Text.Json;

namespace Gateway.Forwarding.Answers;

internal ref partial struct AnswerPass
{
    private void ReadChoices()
    {
        if (_json.TokenType != JsonTokenType.StartArray)
        {
            Skip();
            return;
        }

        _hasChoices = true;
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            _facts.Choices++;
            if (!EnterObject())
            {
                continue;
            }

            _hasDeltaText = false;
            while (NextMember())
            {
                ReadChoiceMember();
            }

            _facts.HasContent |= _hasDeltaText;
            _facts.TokenGuess += _hasDeltaText ? 1 : 0;
        }

        _hasDeltaText = false;
    }

    private void ReadChoiceMember()
    {
        if (NameIs("delta"u8) || NameIs("message"u8))
        {
            _json.Read();
            ReadDelta();
        }
        else if (NameIs("text"u8))
        {
            _json.Read();
            TakeText();
            Skip();
        }
        else if (NameIs("finish_reason"u8))
        {
            _json.Read();
            _facts.FinishedChoices += TakeFinish() ? 1 : 0;
        }
        else
        {
            _json.Read();
            Skip();
        }
    }

    /// <summary>A delta, a message or a text: whether anything in it is for the client. Names and roles are not.</summary>
    private void ReadDelta()
    {
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            _hasDeltaText |= HasText;
            Skip();
            return;
        }

        while (NextMember())
        {
            if (NameIs("stop_reason"u8))
            {
                _json.Read();
                TakeFinish();
                continue;
            }

            if (NameIs("tool_calls"u8))
            {
                _json.Read();
                ReadToolCalls();
                continue;
            }

            var isAnswer = NameIs("content"u8) || NameIs("text"u8);
            var isOther = NameIs("reasoning_content"u8) || NameIs("reasoning"u8) || NameIs("thinking"u8) || NameIs("partial_json"u8) || NameIs("refusal"u8)
                || NameIs("function_call"u8) || NameIs("audio"u8);
            _json.Read();
            if (isAnswer && _json.TokenType == JsonTokenType.String)
            {
                TakeText();
            }
            else if ((isAnswer || isOther) && HoldsSomething())
            {
                _hasDeltaText = true;
                _facts.HasOtherContent = true;
            }

            Skip();
        }
    }

    private void TakeText()
    {
        if (HasText)
        {
            _hasDeltaText = true;
            _facts.TextValue = StringText();
        }
    }

    /// <summary>A non-empty text, an object, or a list with an element. A list's start is passed, so its end may be skipped to.</summary>
    private bool HoldsSomething()
    {
        if (_json.TokenType != JsonTokenType.StartArray)
        {
            return HasText || _json.TokenType == JsonTokenType.StartObject;
        }

        var hasElement = false;
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            hasElement = true;
            Skip();
        }

        return hasElement;
    }

    private void ReadBlock()
    {
        if (!EnterObject())
        {
            return;
        }

        while (NextMember())
        {
            var isType = NameIs("type"u8);
            var isName = NameIs("name"u8);
            var isText = NameIs("text"u8) || NameIs("thinking"u8);
            _json.Read();
            _hasDeltaText |= (isType && TextIs("tool_use"u8)) || (isText && HasText);
            _facts.ToolName ??= isName && HasText ? StringText() : null;
            Skip();
        }
    }
}
