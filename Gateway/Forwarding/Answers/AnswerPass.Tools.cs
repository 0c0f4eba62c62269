using System.Text.Json;

namespace Gateway.Forwarding.Answers;

internal ref partial struct AnswerPass
{
    /// <summary>A list of calls, each with the name of its function where it begins.</summary>
    private void ReadToolCalls()
    {
        if (_json.TokenType != JsonTokenType.StartArray)
        {
            NoteCall(HasText || _json.TokenType == JsonTokenType.StartObject);
            Skip();
            return;
        }

        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            NoteCall(true);
            if (!EnterObject())
            {
                continue;
            }

            while (NextMember())
            {
                var isFunction = NameIs("function"u8);
                _json.Read();
                if (isFunction)
                {
                    ReadNamed();
                }
                else
                {
                    Skip();
                }
            }
        }
    }

    /// <summary>An object that calls a tool by its name.</summary>
    private void ReadNamed()
    {
        if (!EnterObject())
        {
            return;
        }

        while (NextMember())
        {
            var isName = NameIs("name"u8);
            _json.Read();
            _facts.ToolName ??= isName && HasText ? StringText() : null;
            Skip();
        }
    }

    private void NoteCall(bool isThere)
    {
        _hasDeltaText |= isThere;
        _facts.HasOtherContent |= isThere;
    }
}
