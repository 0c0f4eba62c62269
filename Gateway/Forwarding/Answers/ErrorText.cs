using System.Text;
using System.Text.RegularExpressions;

namespace Gateway.Forwarding.Answers;

/// <summary>Makes an engine's words fit for the client: bounded, on one line, without the fleet's inner addresses and paths.</summary>
internal static partial class ErrorText
{
    /// <summary>Longest message in characters.</summary>
    public const int MaxLength = 2048;

    public static string Clean(string text)
    {
        var builder = new StringBuilder(Math.Min(text.Length, MaxLength));
        foreach (var letter in text.AsSpan(0, Math.Min(text.Length, MaxLength)))
        {
            builder.Append(char.IsControl(letter) ? ' ' : letter);
        }

        var line = Addresses().Replace(builder.ToString(), "[address]");
        return Cut(Paths().Replace(line, "[path]").Trim());
    }

    /// <summary>Bounds the text without leaving half a surrogate pair at its end.</summary>
    private static string Cut(string text)
    {
        var length = Math.Min(text.Length, MaxLength);
        return length > 0 && char.IsHighSurrogate(text[length - 1]) ? text[..(length - 1)] : text[..length];
    }

    /// <summary>URLs with a port or without a public name, host:port, and IP addresses.</summary>
    [GeneratedRegex(
        @"\b\w+://(?:[^\s/'""]*:\d{1,5}|\d{1,3}(?:\.\d{1,3}){3}|localhost|[\w.-]+\.(?:svc|local|internal|cluster)[\w.-]*)[^\s'"",)]*"
        + @"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b|\[[0-9a-fA-F]*:[0-9a-fA-F:]+\](?::\d{1,5})?"
        + @"|\b(?:localhost|[a-zA-Z][\w-]*(?:\.[\w-]+)+):\d{2,5}\b|\b[a-zA-Z][\w-]*:\d{4,5}\b",
        RegexOptions.CultureInvariant)]
    private static partial Regex Addresses();

    /// <summary>Absolute file paths; the routes of the APIs stay.</summary>
    [GeneratedRegex(@"(?<![\w./:<])/(?!v[12]/)(?:[\w.@+-]+/)+[\w.@+-]*|\b[A-Za-z]:\\[^\s'"",)]+", RegexOptions.CultureInvariant)]
    private static partial Regex Paths();
}
