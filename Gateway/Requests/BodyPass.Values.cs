using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Gateway.Requests;

internal ref partial struct BodyPass
{
    /// <summary>Reads one member if it knows its name; called on the name.</summary>
    /// <returns>True when the value was passed; false when the reader stands on a value that is to be skipped.</returns>
    private delegate bool MemberReader(ref BodyPass pass);

    /// <summary>Offers every member of an object to <paramref name="read"/>; passes a value of another type.</summary>
    private void ReadMembers(MemberReader read)
    {
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            SkipValue();
            return;
        }

        while (NextMember())
        {
            if (!read(ref this))
            {
                SkipValue();
            }
        }
    }

    /// <summary>Moves from a member's name to its value.</summary>
    /// <returns>Whether the name is <paramref name="name"/>.</returns>
    private bool EnterMember(ReadOnlySpan<byte> name)
    {
        var isIt = NameIs(name);
        _json.Read();
        return isIt;
    }

    /// <summary>The string's text; false when it is longer than <paramref name="mostBytes"/> or no Unicode.</summary>
    private readonly bool TryReadText(int mostBytes, out string text)
    {
        var bytes = _json.ValueSpan;
        if (_json.ValueIsEscaped)
        {
            Span<byte> unescaped = stackalloc byte[mostBytes];
            if (!JsonText.TryUnescape(bytes, unescaped, out var written) || !Utf8.IsValid(unescaped[..written]))
            {
                text = "";
                return false;
            }

            text = Encoding.UTF8.GetString(unescaped[..written]);
            return true;
        }

        var isText = bytes.Length <= mostBytes && Utf8.IsValid(bytes);
        text = isText ? Encoding.UTF8.GetString(bytes) : "";
        return isText;
    }

    private bool ReadSwitch(string param)
    {
        if (_json.TokenType is JsonTokenType.True or JsonTokenType.False or JsonTokenType.Null)
        {
            return _json.TokenType == JsonTokenType.True;
        }

        Refuse(param, "true or false");
        SkipValue();
        return false;
    }

    /// <summary>A limit on tokens; null for null, and for 0 or less, which some engines take as "no limit" and others refuse themselves.</summary>
    private int? ReadLimit(string param) => ReadCount(param, int.MinValue) is > 0 and var limit ? limit : null;

    /// <summary>A whole number of at least <paramref name="least"/>, capped at the largest int; null for null.</summary>
    private int? ReadCount(string param, int least)
    {
        if (_json.TokenType == JsonTokenType.Null)
        {
            return null;
        }

        if (TryReadInteger(out var count) && count >= least)
        {
            return (int)Math.Clamp(count, int.MinValue, int.MaxValue);
        }

        Refuse(param, least switch { 0 => "an integer of at least 0", 1 => "an integer of at least 1", _ => "an integer" });
        SkipValue();
        return null;
    }

    /// <summary>An integer also where it is written like 5.0 or 1e3, as engines take it.</summary>
    private readonly bool TryReadInteger(out long value)
    {
        value = 0;
        if (_json.TokenType != JsonTokenType.Number)
        {
            return false;
        }

        if (_json.TryGetInt64(out value))
        {
            return true;
        }

        if (!_json.TryGetDouble(out var real) || real != Math.Floor(real))
        {
            return false;
        }

        value = (long)Math.Clamp(real, long.MinValue, 9e18);
        return true;
    }

    /// <summary>Whether a <c>response_format</c> or <c>text.format</c> asks for more than plain text. Passes the value.</summary>
    private bool ReadFormat()
    {
        if (_json.TokenType != JsonTokenType.StartObject)
        {
            SkipValue();
            return false;
        }

        var isBound = false;
        while (NextMember())
        {
            if (EnterMember("type"u8))
            {
                isBound = _json.TokenType == JsonTokenType.String && !TextIs("text"u8);
            }

            SkipValue();
        }

        return isBound;
    }

    private void ReadToolChoice()
    {
        if (_json.TokenType == JsonTokenType.String)
        {
            _forcesTool |= TextIs("required"u8) || TextIs("any"u8);
            return;
        }

        if (_json.TokenType != JsonTokenType.StartObject)
        {
            SkipValue();
            return;
        }

        var isOpen = false;
        var isAllowList = false;
        var isRequired = false;
        while (NextMember())
        {
            if (NameIs("type"u8))
            {
                _json.Read();
                isOpen = TextIs("auto"u8) || TextIs("none"u8);
                isAllowList = TextIs("allowed_tools"u8);
            }
            else if (EnterMember("mode"u8))
            {
                isRequired = TextIs("required"u8);
            }

            SkipValue();
        }

        _forcesTool |= isAllowList ? isRequired : !isOpen;
    }

    private void ReadReasoning(BodyField field)
    {
        if (field == BodyField.ReasoningEffort)
        {
            _asksForReasoning |= IsEffort();
            SkipValue();
            return;
        }

        if (field == BodyField.ThinkingTokenBudget)
        {
            TakeBudget();
            SkipValue();
            return;
        }

        if (_json.TokenType != JsonTokenType.StartObject)
        {
            SkipValue();
            return;
        }

        while (NextMember())
        {
            ReadReasoningMember(field);
        }
    }

    private void ReadReasoningMember(BodyField field)
    {
        if (NameIs("effort"u8))
        {
            _json.Read();
            _asksForReasoning |= IsEffort();
        }
        else if (NameIs("budget_tokens"u8) || NameIs("max_tokens"u8))
        {
            _json.Read();
            TakeBudget();
        }
        else if (NameIs("type"u8))
        {
            _json.Read();
            _asksForReasoning |= field == BodyField.Thinking && (TextIs("enabled"u8) || TextIs("adaptive"u8));
        }
        else if (NameIs("enable_thinking"u8) || NameIs("thinking"u8) || NameIs("enabled"u8))
        {
            _json.Read();
            _asksForReasoning |= _json.TokenType == JsonTokenType.True;
        }
        else if (EnterMember("format"u8) && field == BodyField.OutputConfig)
        {
            _isStructured |= ReadFormat();
            return;
        }

        SkipValue();
    }

    private readonly bool IsEffort() => _json.TokenType == JsonTokenType.String && !TextIs("none"u8);

    private void TakeBudget()
    {
        if (TryReadInteger(out var tokens) && tokens >= 0)
        {
            _reasoningBudget = (int)Math.Min(tokens, int.MaxValue);
            _asksForReasoning |= tokens > 0;
        }
    }
}
