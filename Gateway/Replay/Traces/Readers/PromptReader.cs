using System.Text;
using System.Text.Json;
using Gateway.Replay.Traces.Generators;

namespace Gateway.Replay.Traces.Readers;

/// <summary>
/// Texts with the length of their answers, paired with the arrival process of the settings: single prompts, turns that repeat an earlier turn's beginning
/// (prefix_of_turn, prefix_chars, suffix), and whole conversations with the lengths on each answer. Turns of a session follow each other only where their
/// rows do; a scattered turn stands for itself.
/// </summary>
internal static class PromptReader
{
    public static IEnumerable<TraceRequest> Read(LineReader lines, TraceSettings settings)
    {
        var starts = ArrivalProcess.Parse(settings.Arrivals).Times(Chance.Stream(settings.Seed, "arrivals")).GetEnumerator();
        var turns = new TurnTexts();
        while (lines.Next(out var line))
        {
            using var document = JsonRow.Parse(line, lines.Spot);
            var row = new JsonRow(document.RootElement, lines.Spot);
            if (row.Find("messages") is { } messages && row.Find("output_tokens") is null)
            {
                starts.MoveNext();
                foreach (var request in Conversation.Read(row, messages, settings.Think))
                {
                    yield return request with { Arrival = starts.Current };
                }

                continue;
            }

            var (text, session, isLater) = turns.Next(row);
            if (!isLater)
            {
                starts.MoveNext();
            }

            yield return TextBlocks.Give(RequestOf(row), text) with { Arrival = starts.Current, SessionId = session, Think = isLater ? settings.Think : null };
        }
    }

    /// <summary>Messages as one text: each role on a line before what it says.</summary>
    internal static void Append(StringBuilder text, JsonElement message, TraceSpot spot)
    {
        if (message.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        foreach (var name in (ReadOnlySpan<string>)["role", "content", "tool_calls"])
        {
            if (JsonRow.Member(message, name, spot) is { ValueKind: not JsonValueKind.Null } value)
            {
                text.Append(value.ValueKind == JsonValueKind.String ? JsonRow.StringOf(value, spot) : value.GetRawText()).Append('\n');
            }
        }
    }

    private static TraceRequest RequestOf(JsonRow row) => new()
    {
        Arrival = TimeSpan.Zero,
        InputTokens = row.RequiredCount(1, "prompt_tokens", "input_tokens"),
        OutputTokens = row.RequiredCount(0, "output_tokens"),
        MaxOutputTokens = row.Count(1, "max_tokens"),
        Model = row.Label("model"),
    };
}
