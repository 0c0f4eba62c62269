using System.Text;

namespace Gateway.Forwarding.Answers;

/// <summary>The two names of a model: how its engine calls it, and how the client does. Immutable.</summary>
/// <param name="Engine">The engine's.</param>
/// <param name="Public">The one to show.</param>
public readonly record struct ModelNames(string Engine, string Public)
{
    // A name of letters alone may be a word of the sentence: it is one only where the engine marks it as a name.
    private bool IsPlainWord => Engine.All(char.IsLetter);

    /// <summary>An engine's words with the public name wherever they tell the engine's own.</summary>
    public string InText(string text)
    {
        if (string.IsNullOrEmpty(Engine) || Engine == Public || !text.Contains(Engine, StringComparison.Ordinal))
        {
            return text;
        }
        var renamed = new StringBuilder(text.Length);
        var start = 0;
        while (text.IndexOf(Engine, start, StringComparison.Ordinal) is >= 0 and var found)
        {
            var end = found + Engine.Length;
            renamed.Append(text, start, found - start).Append(IsName(text, found, end) ? Public : Engine);
            start = end;
        }
        return renamed.Append(text, start, text.Length - start).ToString();
    }

    private bool IsName(string text, int start, int end) =>
        IsPlainWord ? IsQuote(text, start - 1) && IsQuote(text, end) : !ContinuesBefore(text, start - 1) && !ContinuesAt(text, end);

    private static bool IsQuote(string text, int at) => at >= 0 && at < text.Length && text[at] is '`' or '\'' or '"';

    private static bool ContinuesBefore(string text, int at) => at >= 0 && (char.IsLetterOrDigit(text[at]) || text[at] is '_' or '-' or '.' or '/' or '@');

    // A full stop or a colon ends a name unless more of it follows.
    private static bool ContinuesAt(string text, int at) => at < text.Length
        && (char.IsLetterOrDigit(text[at]) || text[at] is '_' or '-' or '/' or '@' || (text[at] is '.' or ':' && at + 1 < text.Length && char.IsLetterOrDigit(text[at + 1])));
}
