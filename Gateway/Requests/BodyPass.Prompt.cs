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
        _messages = 0;
        if (_json.TokenType == JsonTokenType.String)
        {
            _messages = 1;
            // A client that turns this text into the first item of a list later keeps its prefix: a user's mark is empty there too.
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
        var role = _turns.Add(0, 0, PromptPiece.Role, _limitBytes);
        var isSystem = false;
        while (NextMember())
        {
            if (NameIs("role"u8))
            {
                _json.Read();
                isSystem = TextIs("system"u8) || TextIs("developer"u8);
                // The user's mark stays empty, so that a plain text input and a user's first message agree.
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
        ReadContent(ref _head, skipsBilling: true);
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
                _json.Read();
                isMedia |= _json.TokenType != JsonTokenType.Null;
                var at = SkipRange();
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

    /// <summary>A prompt in its four forms: text, list of texts, token ids, list of token ids; and llama.cpp's mixture of them.</summary>
    private void ReadPrompts(string param)
    {
        const string Expected = "a string, an array of strings, an array of token ids, or an array of such arrays";
        _turns.Clear();
        _promptTokenIds = 0;
        if (_json.TokenType is JsonTokenType.String or JsonTokenType.Null)
        {
            AddValue(ref _turns);
            return;
        }

        if (_json.TokenType == JsonTokenType.StartObject)
        {
            SkipValue();
            return;
        }

        if (!IsList(param, Expected))
        {
            return;
        }

        var start = TokenStart;
        var ids = 0;
        var others = 0;
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            switch (_json.TokenType)
            {
                case JsonTokenType.Number:
                    ids++;
                    break;
                case JsonTokenType.String:
                    others++;
                    _turns.Add(0, 0, PromptPiece.Role, _limitBytes);
                    AddText(ref _turns);
                    break;
                case JsonTokenType.StartArray:
                    others++;
                    ReadInnerPrompt(param, Expected);
                    break;
                case JsonTokenType.StartObject:
                    others++;
                    SkipValue();
                    break;
                default:
                    Refuse(param, Expected);
                    break;
            }
        }

        _promptTokenIds += ids;
        _prompts = ids > 0 ? 1 : others;
        if (ids > 0 && others == 0)
        {
            _turns.Add(start, TokenEnd - start, PromptPiece.TokenIds, _limitBytes);
        }
    }

    private void ReadInnerPrompt(string param, string expected)
    {
        var start = TokenStart;
        var ids = 0;
        var isPure = true;
        _turns.Add(0, 0, PromptPiece.Role, _limitBytes);
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            switch (_json.TokenType)
            {
                case JsonTokenType.Number:
                    ids++;
                    break;
                case JsonTokenType.String:
                    isPure = false;
                    AddText(ref _turns);
                    break;
                default:
                    isPure = false;
                    Refuse(param, expected);
                    SkipValue();
                    break;
            }
        }

        _promptTokenIds += ids;
        if (isPure)
        {
            _turns.Add(start, TokenEnd - start, PromptPiece.TokenIds, _limitBytes);
        }
    }

    /// <summary>Texts that are only counted, such as a query and the documents to rank: a text, a list of texts, or of parts.</summary>
    private void ReadLooseText(bool countsPrompts)
    {
        if (_json.TokenType != JsonTokenType.StartArray)
        {
            AddValue(ref _turns);
            return;
        }

        var prompts = 0;
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            prompts++;
            if (_json.TokenType == JsonTokenType.StartObject)
            {
                ReadPart(ref _turns, skipsBilling: false);
            }
            else
            {
                AddValue(ref _turns);
            }
        }

        _prompts = countsPrompts ? prompts : Math.Max(_prompts, prompts);
    }

    private void ReadTools()
    {
        if (!IsList("tools"))
        {
            return;
        }

        var at = SkipRange();
        _hasTools = _body[(at.Start.Value + 1)..].TrimStart(" \t\r\n"u8)[0] != (byte)']';
        _tools = _hasTools ? at : null;
        _toolBytes = _hasTools ? at.End.Value - at.Start.Value : 0;
    }

    private bool IsList(string param, string expected = "an array")
    {
        if (_json.TokenType == JsonTokenType.StartArray)
        {
            return true;
        }

        if (_json.TokenType != JsonTokenType.Null)
        {
            Refuse(param, expected);
            SkipValue();
        }

        return false;
    }

    /// <summary>Adds a string's text, or any other value as it is written; nothing for null.</summary>
    private void AddValue(ref PromptRanges ranges)
    {
        if (_json.TokenType == JsonTokenType.String)
        {
            AddText(ref ranges);
        }
        else if (_json.TokenType != JsonTokenType.Null)
        {
            var at = SkipRange();
            ranges.Add(at.Start.Value, at.End.Value - at.Start.Value, PromptPiece.Text, _limitBytes);
            _promptBytes += at.End.Value - at.Start.Value;
        }
    }

    private void AddText(ref PromptRanges ranges)
    {
        _promptBytes += _json.ValueIsEscaped ? JsonText.UnescapedLength(_json.ValueSpan) : _json.ValueSpan.Length;
        ranges.Add(TokenStart + 1, _json.ValueSpan.Length, PromptPiece.Text, _limitBytes);
    }
}
