using System.Text.RegularExpressions;
using Gateway.Coordination;

namespace Gateway.Configuration;

/// <summary>What must hold for shared state: places that can be asked, keys of one's own, variables that are set, a lease that outlives lost exchanges.</summary>
internal static partial class RedisRules
{
    // A lease of at least three intervals: two exchanges in a row may be lost without the gateway being taken for dead.
    private const int ExchangesPerLease = 3;

    public static void Check(RedisOptions? redis, IReadOnlyDictionary<string, string> environment, RuleReport report)
    {
        if (redis is null)
        {
            return;
        }

        if (redis.Servers.Count == 0 && report.IsWritten("redis.servers"))
        {
            report.Add("redis.servers", "at least one is needed, such as redis:6379.");
        }

        for (var i = 0; i < redis.Servers.Count; i++)
        {
            if (redis.Servers[i].Length > 0 && !IsEndpoint(redis.Servers[i]))
            {
                var at = report.IsWritten($"redis.servers[{i}]") ? $"redis.servers[{i}]" : "redis.servers";
                report.Add(at, "is no host:port, such as redis:6379. A password belongs in the variable that passwordEnv names.");
            }
        }

        if (redis.KeyPrefix.Length > 0 && !PrefixForm().IsMatch(redis.KeyPrefix))
        {
            report.Add("redis.keyPrefix", "has up to 64 letters, digits and any of . _ : { } -");
        }

        if (redis is { CaFile: not null, Tls: false })
        {
            report.Add("redis.caFile", "says whom to trust with TLS, and tls is off. Write tls: true, or take it away.");
        }

        CheckVariable(redis.PasswordEnv, "redis.passwordEnv");
        CheckVariable(redis.SecretEnv, "redis.secretEnv");
        if (redis.Lease < ExchangesPerLease * redis.Interval)
        {
            report.Add("redis.lease", $"must be at least {ExchangesPerLease} times redis.interval: else a gateway would be taken for dead between two exchanges.");
        }

        void CheckVariable(string? variable, string path)
        {
            if (variable is { Length: > 0 })
            {
                ModelRules.CheckVariable(variable, path, environment, report);
            }
        }
    }

    private static bool IsEndpoint(string text) => EndpointForm().Match(text) is { Success: true } match && match.Groups[1].Value.Length <= 5 && int.Parse(match.Groups[1].ValueSpan) is >= 1 and <= 65_535;

    [GeneratedRegex(@"^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]+)$")]
    private static partial Regex EndpointForm();

    [GeneratedRegex("^[A-Za-z0-9._:{}-]{1,64}$")]
    private static partial Regex PrefixForm();
}
