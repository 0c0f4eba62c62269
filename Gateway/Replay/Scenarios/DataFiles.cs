using Gateway.Replay.Traces;

namespace Gateway.Replay.Scenarios;

/// <summary>Workloads written <c>data:FILE</c> or <c>data:FILE+FILE</c>: traces that are not part of the product and may be absent.</summary>
/// <param name="folder">Where they are; null: nowhere.</param>
public sealed class DataFiles(string? folder)
{
    private const string Mark = "data:";

    /// <summary>No data: every experiment that needs some is skipped.</summary>
    public static DataFiles None { get; } = new(null);

    /// <summary>What a trace source understands: the file's path, or the workload itself where it names no data file.</summary>
    public string Resolve(string workload) => IsNamed(workload)
        ? string.Join(MixedTrace.Mark, FilesOf(workload).Select(PathOf))
        : workload;

    /// <summary>The file that a workload needs and that is not there; null: nothing is missing.</summary>
    public string? MissingFor(string workload) => IsNamed(workload)
        ? FilesOf(workload).FirstOrDefault(file => folder is null || !File.Exists(PathOf(file)))
        : null;

    private static string[] FilesOf(string workload) => workload[Mark.Length..].Split(MixedTrace.Mark);

    private string PathOf(string file) => Path.Combine(folder ?? "", file);

    private static bool IsNamed(string workload) => workload.StartsWith(Mark, StringComparison.Ordinal);
}
