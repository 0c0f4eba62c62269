using Gateway.Access;
using Gateway.Api;
using Gateway.Coordination;
using Gateway.Estimation;
using Gateway.Telemetry;

namespace Gateway.Configuration;

/// <summary>The files that a configuration names: read with it, and followed while it is in force.</summary>
public static class ReferencedFiles
{
    /// <summary>Everything that is wrong with them, each with its file and line.</summary>
    public static IReadOnlyList<ConfigurationProblem> Problems(GatewayOptions options, Func<string, string?> environment)
    {
        var problems = new List<ConfigurationProblem>();
        if (options.Access is { } access)
        {
            ReadKeys(access, environment, problems);
        }
        if (options.Listen.Tls is { } tls)
        {
            ReadCertificates(tls, problems);
        }
        if (options.Redis?.CaFile is { } authority && Read(authority, "redis.caFile", problems) is { } pem && RedisAuthority.Read(pem) is null)
        {
            problems.Add(new ConfigurationProblem(SourceSpot.Of(authority), "redis.caFile", "the file holds no certificate in PEM form.", null));
        }
        foreach (var (setting, path) in Written(options))
        {
            if (!MayBeFile(path))
            {
                problems.Add(new ConfigurationProblem(SourceSpot.Of(path), setting, "no file can be made there: it is a folder, or its folder does not exist.", null));
            }
        }
        for (var i = 0; i < options.Models.Count; i++)
        {
            if (options.Models[i].Discovery.File is { } path)
            {
                ReadReplicas(path, $"models[{i}].discovery.file", problems);
            }
        }
        return problems;
    }

    /// <summary>The lines of the keys file, and what is wrong with them.</summary>
    public static IReadOnlyList<KeyLine> ReadKeys(AccessOptions access, Func<string, string?> environment, ICollection<ConfigurationProblem> problems)
    {
        if (access.KeysFile is not { } path || Read(path, "access.keysFile", problems) is not { } text)
        {
            return [];
        }
        var wrong = new List<KeyLineProblem>();
        var names = access.Tenants.Select(tenant => tenant.Name).ToHashSet(StringComparer.Ordinal);
        var lines = KeysFile.Read(text, names.Contains, TakenKeys(access, environment), wrong);
        foreach (var problem in wrong)
        {
            problems.Add(new ConfigurationProblem(new SourceSpot(path, problem.Line, 1), "access.keysFile", problem.What, null));
        }
        return lines;
    }

    /// <summary>The certificates; null where there are problems.</summary>
    public static ServerCertificates? ReadCertificates(TlsOptions tls, ICollection<ConfigurationProblem> problems)
    {
        var certificate = Read(tls.Certificate, "listen.tls.certificate", problems);
        var key = Read(tls.Key, "listen.tls.key", problems);
        var clientCa = tls.ClientCa is { } path ? Read(path, "listen.tls.clientCa", problems) : null;
        if (certificate is null || key is null || (tls.ClientCa is not null && clientCa is null))
        {
            return null;
        }
        var read = ServerCertificates.Read(certificate, key, clientCa, out var problem);
        if (problem is { } wrong)
        {
            var (file, name) = wrong.File switch
            {
                TlsFile.Certificate => (tls.Certificate, "certificate"),
                TlsFile.Key => (tls.Key, "key"),
                _ => (tls.ClientCa!, "clientCa"),
            };
            problems.Add(new ConfigurationProblem(SourceSpot.Of(file), $"listen.tls.{name}", wrong.What, null));
        }
        return read;
    }

    private static IEnumerable<(string Setting, string Path)> Written(GatewayOptions options)
    {
        if (AccessLog.PathOf(options.Telemetry) is { } log)
        {
            yield return ("telemetry.accessLog", log);
        }
        if (options.Estimation.SnapshotPath is not EstimationOptions.SnapshotOff and var snapshot)
        {
            yield return ("estimation.snapshotPath", snapshot);
        }
    }

    private static bool MayBeFile(string path) =>
        !path.Contains('\0', StringComparison.Ordinal) && !Directory.Exists(path) && (Path.GetDirectoryName(path) is not { Length: > 0 } folder || Directory.Exists(folder));

    private static void ReadReplicas(string path, string setting, List<ConfigurationProblem> problems)
    {
        if (Read(path, setting, problems) is { } text)
        {
            var wrong = new ProblemList();
            ReplicaListReader.Load(text, path, wrong);
            problems.AddRange(wrong.InOrder(path));
        }
    }

    private static HashSet<KeyDigest> TakenKeys(AccessOptions access, Func<string, string?> environment)
    {
        var hashes = access.Tenants.SelectMany(tenant => tenant.Keys).Concat(access.OpsKeys).Select(KeyDigest.Parse).OfType<KeyDigest>();
        var variables = access.Tenants.SelectMany(tenant => tenant.KeyEnv).Concat(access.OpsKeyEnv).Select(environment).OfType<string>();
        return [.. hashes, .. variables.Select(KeyDigest.Of)];
    }

    private static string? Read(string path, string setting, ICollection<ConfigurationProblem> problems)
    {
        if (ConfigurationFile.Read(path, out var problem) is { } text)
        {
            return text;
        }
        problems.Add(new ConfigurationProblem(SourceSpot.Of(path), setting, problem!, null));
        return null;
    }
}
