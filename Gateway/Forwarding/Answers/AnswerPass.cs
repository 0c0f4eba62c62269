using System.Text.Json;

namespace Gateway.Forwarding.Answers;

/// <summary>The running state of a reading: the JSON reader and what it has seen.</summary>
/// <remarks>Every method that reads a value starts on the value's first token and leaves the reader on its last.</remarks>
internal ref partial struct AnswerPass
{
    private const int MaxDepth = 64;

    private Utf8JsonReader _json;
    private AnswerFacts _facts;
    private EventType _type;
    private UsageCounts _usage;
    private bool _hasDeltaText;
    private bool _hasChoices;
    private bool _hasWorth;
    private bool _saysError;
    private bool _hasCode;
    private Range? _plainMessage;

    public AnswerPass(ReadOnlySpan<byte> bytes) =>
        _json = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = MaxDepth });

    private readonly int Start => (int)_json.TokenStartIndex;

    private readonly int End => (int)_json.BytesConsumed;

    /// <exception cref="JsonException">The bytes are not one JSON value.</exception>
    public AnswerFacts Run()
    {
        _json.Read();
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            _facts.Shape = _json.TokenType == JsonTokenType.StartArray ? AnswerShape.JsonArray : AnswerShape.JsonScalar;
            Skip();
            _json.Read();
            return _facts;
        }

        _facts.Shape = AnswerShape.JsonObject;
        while (NextMember())
        {
            ReadTopLevel();
        }

        _json.Read();
        Conclude();
        return _facts;
    }

    private readonly bool NameIs(ReadOnlySpan<byte> name) => _json.ValueSpan.SequenceEqual(name);

    private readonly bool TextIs(ReadOnlySpan<byte> text) => _json.TokenType == JsonTokenType.String && _json.ValueSpan.SequenceEqual(text);

    private readonly bool HasText => _json.TokenType == JsonTokenType.String && !_json.ValueSpan.IsEmpty;

    private bool NextMember() => _json.Read() && _json.TokenType == JsonTokenType.PropertyName;

    private void Skip()
    {
        if (_json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
        {
            _json.Skip();
        }
    }

    /// <summary>Moves into a value that is to be an object; another value is passed.</summary>
    private bool EnterObject()
    {
        if (_json.TokenType == JsonTokenType.StartObject)
        {
            return true;
        }

        Skip();
        return false;
    }

    private readonly Range? StringValue() => _json.TokenType == JsonTokenType.String ? Start..End : null;

    private readonly Range? StringText() => _json.TokenType == JsonTokenType.String ? (Start + 1)..(End - 1) : null;
}

/// <summary>The event types that mean something here.</summary>
internal enum EventType
{
    None,
    Error,
    Delta,
    BlockDelta,
    BlockStart,
    MessageDelta,
    End,
    Failed,
    Other,
}
