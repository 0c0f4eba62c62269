using System.Text.Json;

namespace Gateway.Requests;

internal ref partial struct BodyPass
{
    private void ReadMessages()
    {
        _turns.Clear();
        _messages = 0;
        _systemTurns = 0;
        if (!IsList("messages"))
        {
            return;
        }

        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType != JsonTokenType.StartObject)
            {
                Refuse("messages", "an array of objects");
                SkipValue();
                continue;
            }

            ReadMessage();
        }
    }

    /// <summary>The input of the Responses API: a text, or a list of messages, calls and their outputs.</summary>
    private void ReadInputItems()
    {
        _turns.Clear();
        _lastText.Clear();
        _messages = 0;
        if (_json.TokenType == JsonTokenType.String)
        {
            _messages = 1;
            // The same hash as when the client sends this text as the first item of a list: the mark of a user's message is empty in both forms.
            _turns.Add(0, 0, PromptPiece.Role, _limitBytes);
            AddText(ref _turns);
            return;
        }

        if (!IsList("input", "a string or an array of items"))
        {
            return;
        }

        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType == JsonTokenType.StartObject)
            {
                ReadMessage();
            }
            else
            {
                Refuse("input", "a string or an array of items");
                SkipValue();
            }
        }
    }

    private void ReadMessage()
    {
        _messages++;
        _lastText.Clear();
        _lastRole = MessageRole.User;
        var role = _turns.Add(0, 0, PromptPiece.Role, _limitBytes);
        var isSystem = false;
        while (NextMember())
        {
            if (NameIs("role"u8))
            {
                _json.Read();
                isSystem = TextIs("system"u8) || TextIs("developer"u8);
                _lastRole = isSystem ? MessageRole.System : TextIs("assistant"u8) ? MessageRole.Assistant
                    : TextIs("tool"u8) || TextIs("function"u8) ? MessageRole.Tool : MessageRole.User;
                // The mark of a user's message is empty, so that a plain text input hashes like a list with one user's message.
                if (_json.TokenType == JsonTokenType.String && !TextIs("user"u8))
                {
                    _turns.SetRole(role, TokenStart + 1, TokenEnd - TokenStart - 2);
                }

                SkipValue();
            }
            else if (NameIs("content"u8) || NameIs("output"u8) || NameIs("summary"u8))
            {
                _json.Read();
                ReadContent(ref _turns, skipsBilling: false);
            }
            else if (NameIs("tool_calls"u8) || NameIs("function_call"u8) || NameIs("arguments"u8) || NameIs("name"u8)
                || NameIs("reasoning_content"u8) || NameIs("reasoning"u8) || NameIs("thinking"u8))
            {
                _json.Read();
                AddValue(ref _turns);
            }
            else
            {
                _json.Read();
                SkipValue();
            }
        }

        if (isSystem && role >= 0 && _systemTurns >= role)
        {
            _systemTurns = _turns.Count;
        }
    }

    /// <summary>A system prompt that stands beside the messages: a text or a list of text blocks.</summary>
    private void ReadSystem(string param)
    {
        _head.Clear();
        if (_json.TokenType is not (JsonTokenType.String or JsonTokenType.StartArray or JsonTokenType.Null))
        {
            Refuse(param, "a string or an array of text blocks");
            SkipValue();
            return;
        }

        _head.Add(0, 0, PromptPiece.Role, _limitBytes);
        var last = _lastText;
        _lastText = default;
        ReadContent(ref _head, skipsBilling: true);
        _lastText.Return();
        _lastText = last;
    }

    /// <summary>Content in any of its forms: a text, null, or a list of parts. Other shapes are the engine's business.</summary>
    private void ReadContent(ref PromptRanges ranges, bool skipsBilling)
    {
        if (_json.TokenType == JsonTokenType.String)
        {
            AddText(ref ranges);
            return;
        }

        if (_json.TokenType != JsonTokenType.StartArray)
        {
            SkipValue();
            return;
        }

        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType == JsonTokenType.String)
            {
                AddText(ref ranges);
            }
            else if (_json.TokenType == JsonTokenType.StartObject)
            {
                ReadPart(ref ranges, skipsBilling);
            }
            else
            {
                SkipValue();
            }
        }
    }

    /// <summary>One part of a message. Only what is rendered counts: <c>cache_control</c> and ids move between turns.</summary>
    private void ReadPart(ref PromptRanges ranges, bool skipsBilling)
    {
        var isMedia = false;
        while (NextMember())
        {
            if (NameIs("text"u8))
            {
                _json.Read();
                // Claude Code puts a hash that changes with every request at the head of its system prompt; the engine drops it.
                if (!(skipsBilling && _json.TokenType == JsonTokenType.String && _json.ValueSpan.StartsWith("x-anthropic-billing-header"u8)))
                {
                    AddValue(ref ranges);
                }
            }
            else if (NameIs("content"u8))
            {
                _json.Read();
                ReadContent(ref ranges, skipsBilling);
            }
            else if (NameIs("thinking"u8) || NameIs("refusal"u8) || NameIs("input"u8) || NameIs("name"u8))
            {
                _json.Read();
                AddValue(ref ranges);
            }
            else if (IsMediaName())
            {
                var isSource = NameIs("source"u8);
                _json.Read();
                if (isSource && _json.TokenType == JsonTokenType.String)
                {
                    // The source of a search result or a document is only quoted; no engine fetches it.
                    AddText(ref ranges);
                    continue;
                }

                isMedia |= _json.TokenType != JsonTokenType.Null;
                var at = SkipRange();
                _namesLocalMedia |= MediaAddress.IsLocal(_body[at]);
                ranges.Add(at.Start.Value, at.End.Value - at.Start.Value, PromptPiece.Media, _limitBytes);
            }
            else
            {
                _json.Read();
                SkipValue();
            }
        }

        _mediaParts += isMedia ? 1 : 0;
    }

    private readonly bool IsMediaName() => _json.ValueSpan.Length is >= 4 and <= 12 && (NameIs("image_url"u8) || NameIs("source"u8)
        || NameIs("input_audio"u8) || NameIs("audio_url"u8) || NameIs("video_url"u8) || NameIs("image"u8) || NameIs("audio"u8)
        || NameIs("video"u8) || NameIs("file"u8) || NameIs("file_data"u8) || NameIs("file_url"u8) || NameIs("file_id"u8));
}
