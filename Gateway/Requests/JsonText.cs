using System.Buffers.Text;
using System.Text.Json;

namespace Gateway.Requests;

/// <summary>Reads JSON string tokens as raw bytes (between the quotes, escapes as written), without exceptions or allocation.</summary>
/// <remarks>The reader of the base library throws on a lone surrogate, which a client may send; here that is a value.</remarks>
internal static class JsonText
{
    /// <summary>Whether the name or string that the reader stands on is this text, escapes resolved. The reader's own comparison throws where a name holds half a surrogate pair.</summary>
    /// <param name="json">Stands on a name or a string.</param>
    /// <param name="text">Short: as much room is taken on the stack.</param>
    public static bool Is(this in Utf8JsonReader json, ReadOnlySpan<byte> text) =>
        json.ValueIsEscaped ? UnescapesTo(json.ValueSpan, text) : json.ValueSpan.SequenceEqual(text);

    /// <summary>Bytes that the text takes in UTF-8 once its escapes are resolved.</summary>
    public static int UnescapedLength(ReadOnlySpan<byte> raw)
    {
        var length = 0;
        while (true)
        {
            var slash = raw.IndexOf((byte)'\\');
            if (slash < 0)
            {
                return length + raw.Length;
            }

            length += slash + EscapeLength(raw[slash..], out var consumed);
            raw = raw[(slash + consumed)..];
        }
    }

    /// <summary>Resolves the escapes of <paramref name="raw"/> into <paramref name="destination"/>.</summary>
    /// <returns>False when the text does not fit or holds half a surrogate pair.</returns>
    public static bool TryUnescape(ReadOnlySpan<byte> raw, Span<byte> destination, out int written)
    {
        written = 0;
        while (!raw.IsEmpty)
        {
            var slash = raw.IndexOf((byte)'\\');
            var plain = slash < 0 ? raw.Length : slash;
            if (!raw[..plain].TryCopyTo(destination[written..]))
            {
                return false;
            }

            written += plain;
            raw = raw[plain..];
            if (raw.IsEmpty)
            {
                return true;
            }

            if (!TryUnescapeOne(raw, destination[written..], out var consumed, out var produced))
            {
                return false;
            }

            written += produced;
            raw = raw[consumed..];
        }

        return true;
    }

    private static bool UnescapesTo(ReadOnlySpan<byte> raw, ReadOnlySpan<byte> text)
    {
        Span<byte> unescaped = stackalloc byte[text.Length];
        return TryUnescape(raw, unescaped, out var written) && unescaped[..written].SequenceEqual(text);
    }

    /// <summary>Resolves the escapes as far as the room goes; half a surrogate pair and other mistakes are left out.</summary>
    /// <returns>Bytes written.</returns>
    public static int Unescape(ReadOnlySpan<byte> raw, Span<byte> destination)
    {
        var written = 0;
        while (!raw.IsEmpty && written < destination.Length)
        {
            var slash = raw.IndexOf((byte)'\\');
            var plain = Math.Min(slash < 0 ? raw.Length : slash, destination.Length - written);
            raw[..plain].CopyTo(destination[written..]);
            written += plain;
            raw = raw[plain..];
            if (raw.IsEmpty || raw[0] != (byte)'\\' || written == destination.Length)
            {
                break;
            }

            if (TryUnescapeOne(raw, destination[written..], out var consumed, out var produced))
            {
                written += produced;
            }

            raw = raw[Math.Min(consumed, raw.Length)..];
        }

        return written;
    }

    private static bool TryUnescapeOne(ReadOnlySpan<byte> raw, Span<byte> destination, out int consumed, out int produced)
    {
        consumed = 2;
        produced = 0;
        if (raw.Length < 2)
        {
            return false;
        }

        if (raw[1] == (byte)'u')
        {
            produced = EscapeLength(raw, out consumed);
            return TryReadScalar(raw, out var rune) && rune.TryEncodeToUtf8(destination, out produced);
        }

        if (destination.IsEmpty)
        {
            return false;
        }

        produced = 1;
        destination[0] = raw[1] switch
        {
            (byte)'n' => (byte)'\n',
            (byte)'r' => (byte)'\r',
            (byte)'t' => (byte)'\t',
            (byte)'b' => (byte)'\b',
            (byte)'f' => (byte)'\f',
            var same => same,
        };
        return true;
    }

    private static bool TryReadScalar(ReadOnlySpan<byte> raw, out System.Text.Rune rune)
    {
        rune = default;
        if (!TryReadUnit(raw, out var first))
        {
            return false;
        }

        if (!char.IsSurrogate((char)first))
        {
            rune = new System.Text.Rune(first);
            return true;
        }

        return raw.Length >= 12 && TryReadUnit(raw[6..], out var second)
            && System.Text.Rune.TryCreate((char)first, (char)second, out rune);
    }

    private static bool TryReadUnit(ReadOnlySpan<byte> raw, out int unit)
    {
        unit = 0;
        return raw.Length >= 6 && raw[0] == (byte)'\\' && raw[1] == (byte)'u'
            && Utf8Parser.TryParse(raw.Slice(2, 4), out unit, out var digits, 'x') && digits == 4;
    }

    private static int EscapeLength(ReadOnlySpan<byte> raw, out int consumed)
    {
        if (!TryReadUnit(raw, out var unit))
        {
            consumed = Math.Min(2, raw.Length);
            return 1;
        }

        consumed = 6;
        if (char.IsHighSurrogate((char)unit) && TryReadUnit(raw[6..], out var low) && char.IsLowSurrogate((char)low))
        {
            consumed = 12;
            return 4;
        }

        return unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    }
}
