namespace Gateway.Configuration;

/// <summary>Finds the known word that a misspelt one was probably meant to be.</summary>
internal static class NearestWord
{
    /// <summary>Longer words get no suggestion: the distance costs their length squared.</summary>
    private const int MaxLength = 64;

    /// <returns>The nearest of <paramref name="known"/>, one that begins with the word, else the first, among equals; null where none is near enough.</returns>
    public static string? To(string word, IEnumerable<string> known)
    {
        if (word.Length is 0 or > MaxLength)
        {
            return null;
        }

        var plain = Plain(word);
        string? nearest = null;
        var least = Math.Max(1, plain.Length / 3) + 1;
        foreach (var candidate in known)
        {
            var other = Plain(candidate);
            if (plain == other)
            {
                return candidate;
            }

            var isUnfinished = IsBeginning(plain, other);
            var distance = isUnfinished || IsBeginning(other, plain) ? 1 : Distance(plain, other);
            // Letters are left out more often than added.
            if (distance < least || (distance == least && isUnfinished && !IsBeginning(plain, Plain(nearest ?? ""))))
            {
                (nearest, least) = (candidate, distance);
            }
        }

        return nearest;
    }

    private static bool IsBeginning(string part, string whole) => part.Length >= 3 && whole.StartsWith(part, StringComparison.Ordinal);

    private static string Plain(string word) => string.Concat(word.Where(c => c is not ('_' or '-' or ' '))).ToLowerInvariant();

    /// <summary>Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        var rows = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    rows[i, j] = i + j;
                    continue;
                }

                var replaced = rows[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                rows[i, j] = Math.Min(replaced, 1 + Math.Min(rows[i - 1, j], rows[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
                }
            }
        }

        return rows[a.Length, b.Length];
    }
}
