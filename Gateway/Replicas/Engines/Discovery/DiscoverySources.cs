namespace Gateway.Replicas.Engines.Discovery;

/// <summary>What discovery takes from its surroundings.</summary>
/// <param name="Names">Resolves <c>dns</c> entries.</param>
/// <param name="Lists">Reads files of replicas.</param>
/// <param name="Environment">Reads an environment variable: where the cluster's API server is.</param>
public sealed record DiscoverySources(INameResolver Names, IReplicaListReader Lists, Func<string, string?> Environment);

/// <summary>Reads a file that lists replicas. Problems are whole sentences; none of them is an exception.</summary>
public interface IReplicaListReader
{
    /// <summary>The file's text; null where it cannot be read.</summary>
    string? Read(string path, out string? problem);

    /// <summary>The replicas that a text lists; null where it is faulty.</summary>
    /// <param name="text">YAML or JSON.</param>
    /// <param name="path">Named in problems.</param>
    /// <param name="problem">Every mistake with its line.</param>
    IReadOnlyList<ReplicaOptions>? Parse(string text, string path, out string? problem);
}
