using System.Collections;
using System.Text;

namespace Gateway.Configuration;

/// <summary>The one place where configuration touches the disk and the process's environment.</summary>
public static class ConfigurationFile
{
    /// <summary>Reads a file within the loader's limit.</summary>
    /// <returns>The text; null where it cannot be read, and then <paramref name="problem"/> is a sentence that says why.</returns>
    public static string? Read(string path, out string? problem)
    {
        problem = null;
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[4_096];
            var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            while (read == bytes.Length && read <= ConfigurationLoader.MaxBytes)
            {
                // Grown step by step: pipes and mounted files tell no length, or a wrong one.
                Array.Resize(ref bytes, bytes.Length * 2);
                read += file.ReadAtLeast(bytes.AsSpan(read), bytes.Length - read, throwOnEndOfStream: false);
            }

            if (read <= ConfigurationLoader.MaxBytes)
            {
                return Encoding.UTF8.GetString(bytes, 0, read);
            }

            problem = $"The file is larger than {SettingText.WriteBytes(ConfigurationLoader.MaxBytes)}.";
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            problem = "There is no such file.";
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            problem = "The file cannot be read: " + (refused is UnauthorizedAccessException ? "access denied, or a folder." : "it is in use or not a file.");
        }

        return null;
    }

    /// <summary>Reads and loads a file; one that cannot be read is a problem like any other.</summary>
    public static LoadResult<GatewayOptions> Load(string path, IReadOnlyDictionary<string, string> environment) =>
        Read(path, out var problem) is { } text
            ? LoadText(text, path, environment)
            : new LoadResult<GatewayOptions>(null, [new ConfigurationProblem(SourceSpot.Of(path), "", problem!, null)]);

    /// <summary>Loads a file's text, and looks into the files that it names.</summary>
    public static LoadResult<GatewayOptions> LoadText(string text, string path, IReadOnlyDictionary<string, string> environment)
    {
        var loaded = ConfigurationLoader.Load(text, path, environment);
        var problems = loaded.Options is { } options ? ReferencedFiles.Problems(options, environment.GetValueOrDefault) : [];
        return problems.Count == 0 ? loaded : new LoadResult<GatewayOptions>(null, problems);
    }

    /// <summary>The process's environment as the loader takes it.</summary>
    public static IReadOnlyDictionary<string, string> ReadEnvironment() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "");
}
