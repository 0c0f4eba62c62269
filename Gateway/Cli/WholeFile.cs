using System.Text;

namespace Gateway.Cli;

/// <summary>Writes a file wholly or not at all.</summary>
internal static class WholeFile
{
    private const string Devices = "/dev/";

    /// <summary>Asked before any work: hours of it are not to end in a path with a slip in it, or in the loss of what was read.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="others">Files that the same run reads or writes itself; null where there is none.</param>
    /// <returns>Null when it may be written; else what is wrong with it, to stand behind its name.</returns>
    public static string? Problem(string path, params IEnumerable<string?> others)
    {
        if (path.Length == 0 || Directory.Exists(path) || !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path))))
        {
            return "is not a file in a folder that exists.";
        }
        var full = Path.GetFullPath(path);
        return !IsDevice(full) && others.Any(other => !string.IsNullOrEmpty(other) && Path.GetFullPath(other) == full)
            ? "is read or written by this very run. Choose another file."
            : null;
    }

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

    /// <summary>Writes beside the target first, then renames: a reader never meets half a file. What stands under /dev is written to, not replaced.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static void Write(string path, byte[] content)
    {
        if (IsDevice(Path.GetFullPath(path)))
        {
            using var device = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            device.Write(content);
            return;
        }
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

    private static bool IsDevice(string fullPath) => fullPath.StartsWith(Devices, StringComparison.Ordinal);

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
