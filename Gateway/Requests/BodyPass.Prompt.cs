using System.Text.Json;

namespace Gateway.Requests;

internal ref partial struct BodyPass
{
    /// <summary>A prompt in its four forms: text, list of texts, token ids, list of token ids; and llama.cpp's mixture of them.</summary>
    private void ReadPrompts(string param)
    {
        const string Expected = "a string, an array of strings, an array of token ids, or an array of such arrays";
        _turns.Clear();
        _lastText.Clear();
        _promptTokenIds = 0;
        if (_json.TokenType is JsonTokenType.String or JsonTokenType.Null)
        {
            AddValue(ref _turns);
            return;
        }

        if (_json.TokenType == JsonTokenType.StartObject)
        {
            ReadPart(ref _turns, skipsBilling: false);
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
                    ReadPart(ref _turns, skipsBilling: false);
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

    /// <summary>Texts that are only counted, such as a query and the documents to rank: a text, a part, or a list of them.</summary>
    private void ReadLooseText(bool countsPrompts)
    {
        if (_json.TokenType != JsonTokenType.StartArray)
        {
            ReadLooseValue();
            return;
        }

        var prompts = 0;
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            prompts++;
            ReadLooseValue();
        }

        _prompts = countsPrompts ? prompts : Math.Max(_prompts, prompts);
    }

    private void ReadLooseValue()
    {
        if (_json.TokenType == JsonTokenType.StartObject)
        {
            ReadPart(ref _turns, skipsBilling: false);
        }
        else
        {
            AddValue(ref _turns);
        }
    }

    private void ReadStop()
    {
        _stops = _json.TokenType == JsonTokenType.String ? 1 : 0;
        if (_json.TokenType != JsonTokenType.StartArray)
        {
            SkipValue();
            return;
        }

        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            _stops++;
            SkipValue();
        }
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
        _lastText.Add(TokenStart + 1, _json.ValueSpan.Length, PromptPiece.Text, _limitBytes);
    }
}
