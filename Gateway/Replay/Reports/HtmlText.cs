using System.Net;
using System.Text;

namespace Gateway.Replay.Reports;

/// <summary>A page in the making. What comes from outside goes in through <see cref="Text"/>, which escapes it.</summary>
internal sealed class HtmlText
{
    private readonly StringBuilder _html = new();

    /// <summary>Markup of our own, as it is.</summary>
    public HtmlText Raw(string markup)
    {
        _html.Append(markup);
        return this;
    }

    /// <summary>Any text, escaped for content and for quoted attributes. Characters that no XML may hold become spaces.</summary>
    public HtmlText Text(string text)
    {
        var clean = text.Any(IsForbidden) ? new string([.. text.Select(c => IsForbidden(c) ? ' ' : c)]) : text;
        _html.Append(WebUtility.HtmlEncode(clean));
        return this;
    }

    /// <summary>An element without attributes around escaped text.</summary>
    public HtmlText Element(string name, string text) => Raw($"<{name}>").Text(text).Raw($"</{name}>\n");

    /// <summary>A policy's name, which a narrow column may break after its separators.</summary>
    public HtmlText Name(string name)
    {
        var from = 0;
        for (var i = 0; i < name.Length; i++)
        {
            if (name[i] is '_' or '/')
            {
                Text(name[from..(i + 1)]).Raw("<wbr/>");
                from = i + 1;
            }
        }
        return Text(name[from..]);
    }

    public override string ToString() => _html.ToString();

    private static bool IsForbidden(char c) => (char.IsControl(c) && c is not '\t' and not '\n') || c is '\uFFFE' or '\uFFFF';
}
