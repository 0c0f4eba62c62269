using System.Text;

namespace Gateway.Cli;

/// <summary>Writes a file wholly or not at all.</summary>
internal static class WholeFile
{
    /// <summary>Writes text as UTF-8.</summary>
    /// <returns>Null when it is written; else a sentence that says why not.</returns>
    public static string? TryWrite(string path, string text)
    {
        try
        {
            Write(path, Encoding.UTF8.GetBytes(text));
            return null;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return "The file cannot be written.";
        }
    }

    /// <summary>Writes beside the target first, then renames: a reader never meets half a file.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static void Write(string path, byte[] content)
    {
        var beside = path + ".part";
        try
        {
            File.WriteAllBytes(beside, content);
            File.Move(beside, path, overwrite: true);
        }
        catch
        {
            TryDelete(beside);
            throw;
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
