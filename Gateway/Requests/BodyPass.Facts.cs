using System.Text.Json;
using Gateway.Requests.Sketching;

namespace Gateway.Requests;

internal ref partial struct BodyPass
{
    private readonly ReadOnlySpan<byte> _body;
    private readonly ApiRoute _route;
    private readonly PrefixHasher _hasher;
    private readonly int _offset;
    private readonly int _limitBytes;
    private Utf8JsonReader _json;
    private BodyProblem? _problem;
    private int _insertAt;
    private bool _isEmptyObject;
    private string _model;
    private Range? _modelValue;
    private Range? _saltText;
    private bool _isStreaming;
    private bool _wantsUsage;
    private Range? _streamOptions;
    private Range? _includeUsage;
    private Range? _priority;
    private PriorityClass _tier = PriorityClass.Default;
    private long _promptBytes;
    private int _toolBytes;
    private int _promptTokenIds;
    private int _mediaParts;
    private int _prompts;
    private int _n;
    private int _bestOf;
    private int? _maxCompletionTokens;
    private int? _maxTokens;
    private int? _maxOutputTokens;
    private int _minTokens;
    private bool _ignoresEos;
    private int _messages;
    private bool _hasTools;
    private bool _forcesTool;
    private bool _isStructured;
    private bool _wantsLogProbabilities;
    private bool _asksForReasoning;
    private int? _reasoningBudget;
    private bool _isStored;
    private bool _isBackground;
    private ulong _previousResponse;
    private ulong _session;
    private int _sessionRank;
    private int? _expectedOutput;
    private Range? _tools;
    private PromptRanges _head;
    private PromptRanges _turns;
    private int _systemTurns;
    private PromptRanges _lastText;
    private MessageRole _lastRole;
    private int _stops;
    private List<Range>? _trustedOnly;
    private bool _followsTrustedOnly;
    private bool _hasModelVariant;
    private bool _namesLocalMedia;

    public readonly BodyFacts Facts() => new()
    {
        Model = _model,
        ModelValue = _modelValue,
        IsStreaming = _isStreaming,
        WantsStreamUsage = _wantsUsage,
        StreamOptionsValue = _streamOptions,
        IncludeUsageValue = _includeUsage,
        PriorityValue = _priority,
        TierPriority = _tier,
        InsertAt = _insertAt,
        IsEmptyObject = _isEmptyObject,
        BodyBytes = _body.Length,
        PromptBytes = (int)Math.Min(_promptBytes + _toolBytes, int.MaxValue),
        PromptTokenIds = _promptTokenIds,
        MediaParts = _mediaParts,
        Prompts = Math.Max(1, _prompts),
        Choices = Math.Max(1, Math.Max(_n, _bestOf)),
        MaxOutputTokens = MaxOutputTokens(),
        MinOutputTokens = _minTokens,
        IgnoresEndOfSequence = _ignoresEos,
        Messages = _messages,
        HasTools = _hasTools,
        ForcesTool = _forcesTool,
        HasStructuredOutput = _isStructured,
        WantsLogProbabilities = _wantsLogProbabilities,
        AsksForReasoning = _asksForReasoning,
        ReasoningBudgetTokens = _reasoningBudget,
        IsPinned = _isStored || _isBackground,
        IsBackground = _isBackground,
        PreviousResponseKey = _previousResponse,
        BodySessionKey = _session,
        SystemPromptKey = SystemKey(),
        ExpectedOutputTokensHint = _expectedOutput,
        StopSequences = _stops,
        LastRole = _lastRole,
        Sketch = Sketch(),
        TrustedOnlyMembers = _trustedOnly is null ? [] : [.. _trustedOnly],
        CacheSaltValue = _saltText,
        NamesLocalMedia = _namesLocalMedia,
    };

    private readonly TextSketch? Sketch()
    {
        if (!_route.Generates || _lastText.Count == 0)
        {
            return null;
        }

        var writer = new SketchWriter(stackalloc byte[SketchWriter.TextBytes]);
        writer.Gather(_body, _lastText.Ranges);
        return writer.Finish();
    }

    /// <summary>Hashes the prompt in the order in which templates render it: tools, system prompt, then the turns.</summary>
    /// <remarks>
    /// The canonical sequence holds the text as written in the JSON, so the same text with other escapes (<c>\u00e9</c> for é) hashes
    /// differently: one client writes one way. A turn adds only to the end, so the chain of a conversation's next request begins with this one.
    /// </remarks>
    public readonly PrefixFingerprint Prefix()
    {
        var tools = Slice(_tools);
        var most = (long)tools.Length + _head.CanonicalBytes + _turns.CanonicalBytes;
        var room = (int)Math.Min(PrefixHasher.MaxBlocks, most / _hasher.BlockBytes);
        if (!_route.Generates || room == 0)
        {
            return _hasher.NoBlocks;
        }

        var blocks = new ulong[room];
        var seed = _hasher.Chain(_hasher.Key(System.Text.Encoding.UTF8.GetBytes(_model)), Slice(_saltText));
        var stream = new PrefixStream(_hasher, seed, stackalloc byte[PrefixHasher.MaxBlockBytes], blocks);
        stream.Append(tools);
        _head.AppendTo(ref stream, _body, _hasher);
        _turns.AppendTo(ref stream, _body, _hasher);
        return new PrefixFingerprint(stream.Count == room ? blocks : blocks[..stream.Count], _hasher.BlockBytes);
    }

    private readonly ReadOnlySpan<byte> Slice(Range? range) => range is { } at ? _body[at] : default;

    private readonly int? MaxOutputTokens() => _route.Kind switch
    {
        ApiKind.ChatCompletions => _maxCompletionTokens ?? _maxTokens,
        ApiKind.Responses => _maxOutputTokens,
        _ => _maxTokens,
    };

    private readonly ulong SystemKey()
    {
        var hash = 0ul;
        if (_tools is { } tools)
        {
            hash = _hasher.Chain(1, _body[tools]);
        }

        foreach (var (start, length, piece) in _head.Ranges)
        {
            hash = piece == PromptPiece.Text ? _hasher.Chain(hash, _body.Slice(start, length)) : hash;
        }

        foreach (var (start, length, piece) in _turns.Ranges[..Math.Min(_systemTurns, _turns.Count)])
        {
            hash = piece == PromptPiece.Text ? _hasher.Chain(hash, _body.Slice(start, length)) : hash;
        }

        return hash;
    }

    private void ReadField(BodyField field)
    {
        switch (field)
        {
            case BodyField.Model:
                ReadModel();
                break;
            case BodyField.Messages when IsChatLike || !_route.Generates:
                ReadMessages();
                break;
            case BodyField.System when _route.Kind is ApiKind.Messages or ApiKind.CountTokens:
                ReadSystem("system");
                break;
            case BodyField.Instructions when _route.Kind == ApiKind.Responses:
                ReadSystem("instructions");
                break;
            case BodyField.Prompt when _route.Kind is ApiKind.Completions or ApiKind.Tokenize:
                ReadPrompts("prompt");
                break;
            case BodyField.Input when _route.Kind == ApiKind.Responses:
                ReadInputItems();
                break;
            case BodyField.Input when !_route.Generates:
                ReadPrompts("input");
                break;
            case BodyField.Tokens when _route.Kind == ApiKind.Detokenize:
                ReadPrompts("tokens");
                break;
            case BodyField.Suffix when _route.Kind == ApiKind.Completions:
            case BodyField.Query or BodyField.Documents or BodyField.Text1 or BodyField.Text2 when !_route.Generates:
            case BodyField.Text when _route.Kind == ApiKind.Classify:
                ReadLooseText(field == BodyField.Documents);
                break;
            case BodyField.Stop when _route.Generates:
                ReadStop();
                break;
            case BodyField.Tools when IsChatLike || _route.Kind == ApiKind.Responses:
                ReadTools();
                break;
            case BodyField.Priority:
                ReadPriority();
                break;
            case BodyField.ModelVariant:
                _hasModelVariant = true;
                SkipValue();
                break;
            default:
                ReadOption(field);
                break;
        }
    }

    private void ReadModel()
    {
        if (_modelValue is not null)
        {
            _problem ??= new("invalid_value", "\"model\" occurs twice; name one model.", "model");
            SkipValue();
            return;
        }

        if (_json.TokenType == JsonTokenType.Null)
        {
            return;
        }

        if (_json.TokenType != JsonTokenType.String)
        {
            Refuse("model", "a string");
            SkipValue();
            return;
        }

        if (!TryReadText(BodyReader.MaxModelBytes, out var model))
        {
            Refuse("model", "valid Unicode of at most 1024 bytes");
        }
        else if (model.Length > 0)
        {
            _model = model;
            _modelValue = TokenStart..TokenEnd;
        }
    }
}
