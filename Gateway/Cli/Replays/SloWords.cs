using System.Globalization;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Requests;

namespace Gateway.Cli.Replays;

/// <summary>Reads limits like <c>ttft=1s,tpot=100ms,e2e=30s</c>, and those of a class like <c>interactive.ttft=1s</c>.</summary>
internal static class SloWords
{
    /// <exception cref="TraceException">An unknown limit, or no time span.</exception>
    public static SloLimits Parse(string? text)
    {
        var limits = SloLimits.None;
        foreach (var part in (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            limits = part.Split('.', 2) is [var word, var own] && word.All(char.IsAsciiLetter) && Enum.TryParse<PriorityClass>(word, ignoreCase: true, out var priority)
                ? limits with { Classes = new Dictionary<PriorityClass, SloLimits>(limits.Classes) { [priority] = With(limits.Classes.GetValueOrDefault(priority, SloLimits.None), own, part) } }
                : With(limits, part, part);
        }
        return limits;
    }

    private static SloLimits With(SloLimits limits, string word, string part)
    {
        var span = word.Split('=') is [_, var value] ? SpanOf(value) : null;
        return (word.Split('=')[0], span) switch
        {
            ("ttft", _) when limits.TimeToFirstToken is not null => throw Twice(part),
            ("tpot", _) when limits.TimePerOutputToken is not null => throw Twice(part),
            ("e2e", _) when limits.EndToEnd is not null => throw Twice(part),
            ("ttft", { } limit) => limits with { TimeToFirstToken = limit },
            ("tpot", { } limit) => limits with { TimePerOutputToken = limit },
            ("e2e", { } limit) => limits with { EndToEnd = limit },
            _ => throw new TraceException(
                $"--slo: \"{part}\" is not one of ttft, tpot or e2e with a time span, such as ttft=1s or tpot=100ms, nor one of a class, such as interactive.ttft=1s."),
        };
    }

    private static TraceException Twice(string part) => new($"--slo: \"{part}\" comes after another limit of the same kind. Write one.");

    private static TimeSpan? SpanOf(string text)
    {
        var isMilliseconds = text.EndsWith("ms", StringComparison.Ordinal);
        var digits = isMilliseconds ? text[..^2] : text.TrimEnd('s');
        return double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) && value is > 0 and < 1e9
            ? isMilliseconds ? TimeSpan.FromMilliseconds(value) : TimeSpan.FromSeconds(value)
            : null;
    }
}
