using System.Text.Json;

namespace Gateway.Requests;

/// <summary>The running state of <see cref="BodyReader"/>: the reader, what was found so far, and the first problem.</summary>
/// <remarks>Every method that reads a value starts on the value's first token and leaves the reader on its last.</remarks>
internal ref partial struct BodyPass
{
    public BodyPass(ReadOnlySpan<byte> body, ApiRoute route, PrefixHasher hasher)
    {
        _body = body;
        _route = route;
        _hasher = hasher;
        _model = "";
        _offset = body.StartsWith("\uFEFF"u8) ? 3 : 0;
        _limitBytes = route.Generates ? PrefixHasher.MaxBlocks * hasher.BlockBytes : 0;
        _json = new Utf8JsonReader(body[_offset..], new JsonReaderOptions { MaxDepth = BodyReader.MaxDepth });
    }

    private readonly bool IsChatLike => _route.Kind is ApiKind.ChatCompletions or ApiKind.Messages or ApiKind.CountTokens;

    private readonly int TokenStart => (int)_json.TokenStartIndex + _offset;

    private readonly int TokenEnd => (int)_json.BytesConsumed + _offset;

    /// <exception cref="JsonException">The bytes are not JSON, or nested too deeply.</exception>
    public BodyProblem? Run()
    {
        if (_body.Length == _offset)
        {
            return new("invalid_json", "The request body is empty; send a JSON object.", null);
        }

        _json.Read();
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            SkipValue();
            _json.Read();
            return new("invalid_json", "The request body must be a JSON object.", null);
        }

        _insertAt = TokenEnd;
        _isEmptyObject = true;
        while (_json.Read() && _json.TokenType == JsonTokenType.PropertyName)
        {
            _isEmptyObject = false;
            var start = TokenStart;
            var field = FindField();
            _json.Read();
            ReadField(field);
            NoteMember(start, BodyFields.IsTrustedOnly(field));
        }

        // Reads on to the end of the body: whatever stands behind the object is an error.
        _json.Read();
        if (_problem is null && _modelValue is null)
        {
            return new("missing_required_parameter", "The request names no model; set \"model\" to one of the names that GET /v1/models lists.", "model");
        }

        if (_hasModelVariant && _modelValue is not null)
        {
            return new("invalid_value", "\"model\" occurs twice, in different letters; name one model.", "model");
        }

        return _problem;
    }

    /// <summary>Keeps the place of a member that only trusted callers may send, its name included; neighbours become one place.</summary>
    private void NoteMember(int start, bool isTrustedOnly)
    {
        if (isTrustedOnly)
        {
            _trustedOnly ??= [];
            if (_trustedOnly.Count == BodyReader.MaxTrustedOnlyPlaces && !_followsTrustedOnly)
            {
                _problem ??= new("invalid_value", "Members that steer the engine occur too often; send each once.", null);
                return;
            }

            if (_followsTrustedOnly)
            {
                _trustedOnly[^1] = _trustedOnly[^1].Start..TokenEnd;
            }
            else
            {
                _trustedOnly.Add(start..TokenEnd);
            }
        }

        _followsTrustedOnly = isTrustedOnly;
    }

    public readonly BodyProblem NotJson(JsonException broken)
    {
        if (IsTooDeep())
        {
            return new("invalid_json", FormattableString.Invariant($"The request body is nested deeper than {BodyReader.MaxDepth} levels."), null);
        }

        return new("invalid_json", FormattableString.Invariant(
            $"The request body is not valid JSON: see line {broken.LineNumber + 1}, byte {broken.BytePositionInLine + 1}."), null);
    }

    // The reader stops before the bracket that would open one level too many.
    private readonly bool IsTooDeep()
    {
        var depth = _json.CurrentDepth + (_json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray ? 1 : 0);
        return depth >= BodyReader.MaxDepth && _body[TokenEnd..].TrimStart(" \t\r\n,:"u8) is [(byte)'{' or (byte)'[', ..];
    }

    public void Dispose()
    {
        _head.Return();
        _turns.Return();
        _lastText.Return();
    }

    private readonly BodyField FindField() =>
        _json.ValueIsEscaped ? FindEscapedField() : BodyFields.Find(_json.ValueSpan);

    private readonly BodyField FindEscapedField()
    {
        Span<byte> unescaped = stackalloc byte[BodyFields.MaxNameBytes];
        return JsonText.TryUnescape(_json.ValueSpan, unescaped, out var written) ? BodyFields.Find(unescaped[..written]) : BodyField.Unknown;
    }

    private readonly bool NameIs(ReadOnlySpan<byte> name) => _json.Is(name);

    /// <summary>Whether the value is a string with this text.</summary>
    private readonly bool TextIs(ReadOnlySpan<byte> text) => _json.TokenType == JsonTokenType.String && NameIs(text);

    /// <summary>Moves to the next member's name; false at the object's end.</summary>
    private bool NextMember() => _json.Read() && _json.TokenType == JsonTokenType.PropertyName;

    private void SkipValue()
    {
        if (_json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
        {
            _json.Skip();
        }
    }

    /// <summary>Passes the value and says where it stood.</summary>
    private Range SkipRange()
    {
        var start = TokenStart;
        SkipValue();
        return start..TokenEnd;
    }

    private void Refuse(string param, string expected) =>
        _problem ??= new("invalid_value", $"\"{param}\" must be {expected}.", param);
}
