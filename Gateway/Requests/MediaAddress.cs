using System.Net;
using System.Text;
using System.Text.Json;

namespace Gateway.Requests;

/// <summary>Recognises media addresses that lead an engine to its own files, or into the network around it.</summary>
/// <remarks>Looks at what is written: a public name that resolves to a private address, or redirects to one, is for the network's own rules.</remarks>
internal static class MediaAddress
{
    // Only the beginning is read: it holds scheme and host, and a data: address is megabytes long.
    private const int MostBytes = 512;

    private static readonly string[] Schemes = ["file:", "http:", "https:"];

    private static readonly string[] LocalDomains = [".localhost", ".local", ".internal", ".svc", ".lan", ".home.arpa"];

    /// <summary>Whether any text in a media part's value is such an address.</summary>
    /// <param name="value">A JSON value: a text, or an object that holds one.</param>
    public static bool IsLocal(ReadOnlySpan<byte> value)
    {
        var json = new Utf8JsonReader(value, new JsonReaderOptions { MaxDepth = BodyReader.MaxDepth });
        var isOpened = true;
        while (json.Read())
        {
            if (json.TokenType == JsonTokenType.String && IsLocalText(json.ValueSpan, isOpened))
            {
                return true;
            }
            // A text without a name of its own, also one that follows an object in a list, may be opened.
            isOpened = json.TokenType switch
            {
                JsonTokenType.PropertyName => IsOpenedName(json),
                JsonTokenType.EndObject => true,
                _ => isOpened,
            };
        }
        return false;
    }

    // What else a part holds is read or only shown: a document's text and a file's name may well begin like a path.
    private static bool IsOpenedName(in Utf8JsonReader json) =>
        json.Is("url"u8) || json.Is("image_url"u8) || json.Is("audio_url"u8) || json.Is("video_url"u8) || json.Is("file_url"u8)
        || json.Is("image"u8) || json.Is("audio"u8) || json.Is("video"u8) || json.Is("file"u8);

    private static bool IsLocalText(ReadOnlySpan<byte> raw, bool isOpened)
    {
        if (raw.StartsWith("data:"u8))
        {
            return false;
        }
        Span<byte> unescaped = stackalloc byte[MostBytes];
        if (!JsonText.TryUnescape(Beginning(raw), unescaped, out var written))
        {
            return false;
        }
        // Python's readers of addresses, and with them the engines, drop such characters before they look.
        var text = string.Concat(Encoding.UTF8.GetString(unescaped[..written]).Where(static c => c > ' '));
        var isCut = raw.Length > MostBytes;
        if (isCut && Schemes.Any(scheme => scheme.StartsWith(text, StringComparison.OrdinalIgnoreCase)))
        {
            return true;
        }
        return text.StartsWith("file:", StringComparison.OrdinalIgnoreCase)
            || (isOpened && IsPath(text, raw))
            || ((text.StartsWith("http:", StringComparison.OrdinalIgnoreCase) || text.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
                && ((isCut && !HasWholeHost(text)) || IsLocalHost(text)));
    }

    // SGLang opens what is no address as a file. A slash may also begin media in base64: a JPEG's, or a sound's, which is longer than what is read. There are no dots in that,
    // but slashes without end, or links to the root, may push a path's dot far behind.
    private static bool IsPath(string text, ReadOnlySpan<byte> raw) =>
        text is ['~' or '.', ..]
        || (text is ['/', ..] && (HasDot(raw) || !(raw.Length > MostBytes || text.StartsWith("/9j/", StringComparison.Ordinal))));

    private static bool HasDot(ReadOnlySpan<byte> raw) => raw.Contains((byte)'.') || raw.IndexOf("\\u002e"u8) >= 0 || raw.IndexOf("\\u002E"u8) >= 0;

    // Name and password before the host may be of any length, so the host may lie beyond what is read: refused.
    private static bool HasWholeHost(string text) =>
        text.IndexOf("//", StringComparison.Ordinal) is > 0 and var slashes && text.AsSpan(slashes + 2).IndexOfAny('/', '?', '#') >= 0;

    // An escape that the cut would halve is left out.
    private static ReadOnlySpan<byte> Beginning(ReadOnlySpan<byte> raw)
    {
        if (raw.Length <= MostBytes)
        {
            return raw;
        }
        var cut = raw[..MostBytes];
        var slash = cut[^12..].IndexOf((byte)'\\');
        return slash < 0 ? cut : cut[..(MostBytes - 12 + slash)];
    }

    private static bool IsLocalHost(string text)
    {
        // Some engines read a backslash as a slash and some do not, so the host is ambiguous: refused.
        if (text.Contains('\\', StringComparison.Ordinal) || !Uri.TryCreate(text, UriKind.Absolute, out var address))
        {
            return true;
        }
        // Python's readers of addresses fold other scripts' digits and dots into those of ASCII; names of other scripts have a form in ASCII, too.
        if (!Ascii.IsValid(address.Host))
        {
            return true;
        }
        var host = address.IdnHost.TrimEnd('.');
        return IPAddress.TryParse(host.Trim('[', ']'), out var ip)
            ? IsPrivate(ip)
            : !host.Contains('.', StringComparison.Ordinal) || LocalDomains.Any(domain => host.EndsWith(domain, StringComparison.OrdinalIgnoreCase));
    }

    private static bool IsPrivate(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }
        var bytes = address.GetAddressBytes();
        if (bytes.Length > 4)
        {
            return IPAddress.IsLoopback(address) || address.IsIPv6LinkLocal || address.IsIPv6UniqueLocal || address.IsIPv6SiteLocal || address.Equals(IPAddress.IPv6Any);
        }
        return bytes is [0 or 10 or 127, ..] or [169, 254, ..] or [192, 168, ..] or [172, >= 16 and <= 31, ..] or [100, >= 64 and <= 127, ..] or [>= 224, ..];
    }
}
