using System.Globalization;
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
    internal static void Append(StringBuilder text, JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        foreach (var name in (ReadOnlySpan<string>)["role", "content", "tool_calls"])
        {
            if (message.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null)
            {
                text.Append(value.ValueKind == JsonValueKind.String ? value.GetString() : value.GetRawText()).Append('\n');
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

    /// <summary>Texts of the turns of the session read now.</summary>
    private sealed class TurnTexts
    {
        private const int MostCharacters = 64 << 20;

        private readonly Dictionary<int, string> _texts = [];
        private string? _session;
        private int _turn;
        private long _characters;

        public (string Text, string? Session, bool IsLater) Next(JsonRow row)
        {
            var (session, turn) = (row.Label("session_id"), row.Count(0, "turn"));
            var isLater = session is not null && session == _session && turn == _turn + 1;
            if (!isLater)
            {
                _texts.Clear();
                _characters = 0;
            }

            (_session, _turn) = (session, turn ?? 0);
            var text = TextOf(row);
            if (row.Find("suffix") is not null)
            {
                Keep(row, text);
            }

            return (text, isLater || turn is null or 0 or 1 ? session : null, isLater);
        }

        private void Keep(JsonRow row, string text)
        {
            _texts[_turn] = text;
            _characters += text.Length;
            if (_characters > MostCharacters)
            {
                throw row.Spot.Wrong($"the session's prompts have more than {MostCharacters} characters together.");
            }
        }

        private string TextOf(JsonRow row)
        {
            if (row.Text("suffix") is { } suffix)
            {
                return Beginning(row) + suffix;
            }

            if (row.Find("messages") is { ValueKind: JsonValueKind.Array } messages)
            {
                var text = new StringBuilder();
                foreach (var message in messages.EnumerateArray())
                {
                    Append(text, message);
                }

                return text.ToString();
            }

            return row.Text("prompt") ?? throw row.Missing("prompt", "messages", "suffix");
        }

        private string Beginning(JsonRow row)
        {
            if (row.Count(0, "prefix_of_turn") is not { } earlier)
            {
                return "";
            }

            if (!_texts.TryGetValue(earlier, out var text))
            {
                throw row.Spot.Wrong(string.Create(CultureInfo.InvariantCulture, $"prefix_of_turn is {earlier}, which is not among the session's turns just above. Turns must follow each other."));
            }

            var characters = row.RequiredCount(0, "prefix_chars");
            return characters <= text.Length
                ? text[..characters]
                : throw row.Spot.Wrong(string.Create(CultureInfo.InvariantCulture, $"prefix_chars is {characters}. Allowed: at most the {text.Length} characters of turn {earlier}."));
        }
    }
}
