namespace Gateway.Replay.Scenarios;

/// <summary>Workloads written <c>data:FILE</c>: traces that are not part of the product and may be absent.</summary>
/// <param name="folder">Where they are; null: nowhere.</param>
public sealed class DataFiles(string? folder)
{
    private const string Mark = "data:";

    /// <summary>No data: every experiment that needs some is skipped.</summary>
    public static DataFiles None { get; } = new(null);

    /// <summary>What a trace source understands: the file's path, or the workload itself where it names no data file.</summary>
    public string Resolve(string workload) => IsNamed(workload) ? Path.Combine(folder ?? "", workload[Mark.Length..]) : workload;

    /// <summary>The file that a workload needs and that is not there; null: nothing is missing.</summary>
    public string? MissingFor(string workload) => IsNamed(workload) && (folder is null || !File.Exists(Resolve(workload))) ? workload[Mark.Length..] : null;

    private static bool IsNamed(string workload) => workload.StartsWith(Mark, StringComparison.Ordinal);
}
