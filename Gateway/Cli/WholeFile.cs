namespace Gateway.Cli;

/// <summary>Writes a file wholly or not at all.</summary>
internal static class WholeFile
{
    /// <summary>Writes beside the target first, then renames.</summary>
    /// <returns>Null when it is written; else a sentence that says why not.</returns>
    public static string? TryWrite(string path, string text)
    {
        var beside = path + ".part";
        try
        {
            File.WriteAllText(beside, text);
            File.Move(beside, path, overwrite: true);
            return null;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            TryDelete(beside);
            return "The file cannot be written.";
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            // Where the folder refuses writing there is nothing to take away either.
        }
    }
}
