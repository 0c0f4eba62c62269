namespace Gateway.Access;

/// <summary>One line of a keys file.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Tenant">Whose key it is.</param>
/// <param name="Digest">The key's.</param>
public readonly record struct KeyLine(int Line, string Tenant, KeyDigest Digest);

/// <summary>A line that cannot be used.</summary>
/// <param name="Line">From 1.</param>
/// <param name="What">What is wrong with it; never a part of its text.</param>
public readonly record struct KeyLineProblem(int Line, string What);

/// <summary>Reads a file of keys: <c>TENANT sha256:HEX</c> a line; <c>#</c> begins a comment. Pure.</summary>
public static class KeysFile
{
    /// <summary>Most keys that are read.</summary>
    public const int MaxKeys = 100_000;

    /// <param name="text">The file's.</param>
    /// <param name="isTenant">Whether a name is one of the configuration's.</param>
    /// <param name="taken">Digests that are in use elsewhere; those of the file are added.</param>
    /// <param name="problems">Every line that cannot be used.</param>
    public static IReadOnlyList<KeyLine> Read(string text, Func<string, bool> isTenant, ISet<KeyDigest> taken, ICollection<KeyLineProblem> problems)
    {
        var keys = new List<KeyLine>();
        var number = 0;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            number++;
            var comment = line.IndexOf('#');
            var words = (comment < 0 ? line : line[..comment]).ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length == 0)
            {
                continue;
            }
            if (Problem(words, isTenant, taken, keys.Count, out var digest) is { } what)
            {
                problems.Add(new KeyLineProblem(number, what));
                continue;
            }
            keys.Add(new KeyLine(number, words[0], digest));
        }
        return keys;
    }

    private static string? Problem(string[] words, Func<string, bool> isTenant, ISet<KeyDigest> taken, int count, out KeyDigest digest)
    {
        digest = default;
        if (words.Length != 2 || KeyDigest.Parse(words[1]) is not { } parsed)
        {
            return "a line is a tenant's name and the SHA-256 of a key, like research sha256:9f86d0...; never the key itself.";
        }
        digest = parsed;
        return !isTenant(words[0]) ? "no tenant of access.tenants has this name."
            : count >= MaxKeys ? "the file holds too many keys."
            : !taken.Add(parsed) ? "this key is in use already."
            : null;
    }
}
