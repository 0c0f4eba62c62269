using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gateway.Replay.Traces.Readers;

/// <summary>Texts of the turns of the session read now; a turn may repeat an earlier one's beginning.</summary>
internal sealed class TurnTexts
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
                PromptReader.Append(text, message, row.Spot);
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
