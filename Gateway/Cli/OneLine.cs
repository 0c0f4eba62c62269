namespace Gateway.Cli;

/// <summary>What an engine said, as it may stand on a terminal: one line, not endless, and nothing that steers the terminal.</summary>
internal static class OneLine
{
    private const int MaxShown = 1_000;

    /// <summary>The text with a question mark for each control character; cut where it is longer than a thousand.</summary>
    public static string Of(string text)
    {
        var shown = string.Concat(text.Take(MaxShown).Select(c => char.IsControl(c) ? '?' : c));
        return text.Length > MaxShown ? shown + "..." : shown;
    }
}
