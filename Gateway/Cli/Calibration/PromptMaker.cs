using System.Text;

namespace Gateway.Cli.Calibration;

/// <summary>Prompts of about a wanted length, each unlike any other from its first words on, so that no prefix cache knows them. Not thread-safe.</summary>
/// <remarks>Short common words are one token each in nearly every vocabulary; how many tokens a word really makes is learned from what the engine counts.</remarks>
internal sealed class PromptMaker(Random chance)
{
    private static readonly string[] Words =
    [
        "time", "year", "day", "way", "man", "world", "life", "hand", "part", "eye", "place", "work", "week", "case", "point", "fact", "home", "water", "room",
        "area", "money", "story", "month", "lot", "right", "study", "book", "word", "issue", "side", "kind", "head", "house", "hour", "game", "line", "end", "law",
        "car", "city", "name", "team", "idea", "body", "back", "face", "level", "door", "art", "war", "party", "food", "land", "road", "form", "river", "sea", "sun",
    ];

    private double _tokensPerWord = 1;

    /// <summary>A prompt of about that many tokens, at least one.</summary>
    public string Make(int tokens)
    {
        var words = Math.Max(1, (int)Math.Round(tokens / _tokensPerWord));
        var text = new StringBuilder(words * 6);
        for (var word = 0; word < words; word++)
        {
            text.Append(' ').Append(Words[chance.Next(Words.Length)]);
        }

        return text.ToString();
    }

    /// <summary>Learns from a prompt that was asked for and what the engine made of it.</summary>
    public void Learn(int wanted, int counted)
    {
        if (wanted > 0 && counted > 0)
        {
            _tokensPerWord = Math.Clamp(_tokensPerWord * counted / wanted, 0.25, 8);
        }
    }
}
