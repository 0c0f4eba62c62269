using System.Text;

namespace Gateway.Requests.Sketching;

/// <summary>The few words whose meaning counts: numbers, and the units that an answer can be asked in.</summary>
internal static class WordTable
{
    private static readonly Dictionary<uint, int> Numbers = Table(
        (1, "one a an single"), (2, "two couple"), (3, "three few"), (4, "four"), (5, "five several"), (6, "six"), (7, "seven"), (8, "eight"), (9, "nine"), (10, "ten"),
        (12, "dozen twelve"), (15, "fifteen"), (20, "twenty"));

    private static readonly Dictionary<uint, int> Units = Table(
        ((int)RequestedUnit.Words, "word words characters letters"),
        ((int)RequestedUnit.Sentences, "sentence sentences line lines"),
        ((int)RequestedUnit.Paragraphs, "paragraph paragraphs stanza stanzas page pages"),
        ((int)RequestedUnit.Items,
            "items points examples ideas ways steps reasons questions tips things facts benefits names suggestions strategies features advantages topics methods types factors titles options bullet synonyms adjectives"));

    // One bit per bucket: a cleared bit tells without a look-up that no word of the tables falls there.
    private static readonly ulong[] Filter = MakeFilter();

    /// <summary>The value of a number word; 0 for every other word.</summary>
    public static int NumberOf(uint hash) => MayHold(hash) ? Numbers.GetValueOrDefault(hash) : 0;

    public static RequestedUnit UnitOf(uint hash) => MayHold(hash) ? (RequestedUnit)Units.GetValueOrDefault(hash) : RequestedUnit.None;

    private static bool MayHold(uint hash) => (Filter[(hash >> 6) & 63] & (1UL << (int)(hash & 63))) != 0;

    private static Dictionary<uint, int> Table(params (int Value, string Words)[] rows) =>
        rows.SelectMany(row => row.Words.Split(' ').Select(word => (Hash: WordReader.HashOf(Encoding.ASCII.GetBytes(word)), row.Value)))
            .ToDictionary(pair => pair.Hash, pair => pair.Value);

    private static ulong[] MakeFilter()
    {
        var filter = new ulong[64];
        foreach (var hash in Numbers.Keys.Concat(Units.Keys))
        {
            filter[(hash >> 6) & 63] |= 1UL << (int)(hash & 63);
        }
        return filter;
    }
}

/// <summary>Finds what a text asks a number of: "five examples", "in 300 words".</summary>
internal struct UnitReader
{
    // As in "three short sentences", the unit may come two words after its number.
    private const int Reach = 3;

    private int _number;
    private int _age;

    /// <summary>The largest number asked for; 0: none.</summary>
    public int Number { get; private set; }

    public RequestedUnit Unit { get; private set; }

    public void Take(in Word word)
    {
        _age++;
        if (word.Number > 0)
        {
            (_number, _age) = (word.Number, 0);
        }
        else if (_number > 0 && _age <= Reach && WordTable.UnitOf(word.Hash) is var unit and not RequestedUnit.None)
        {
            if (_number > Number)
            {
                (Number, Unit) = (_number, unit);
            }
            _number = 0;
        }
    }
}
