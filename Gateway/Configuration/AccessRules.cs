using System.Text.RegularExpressions;
using Gateway.Access;

namespace Gateway.Configuration;

/// <summary>What must hold among tenants: names and keys apart, models that exist, keys that are hashes.</summary>
internal static partial class AccessRules
{
    public static void Check(GatewayOptions options, IReadOnlyDictionary<string, string> environment, RuleReport report)
    {
        if (options.Access is not { } access)
        {
            return;
        }

        if (access.Tenants.Count == 0 && !report.IsWritten("access.tenants[0]"))
        {
            report.Add("access", "no tenant is configured, so nobody could enter. Give at least one with a name and its keys.");
        }

        var keys = new KeyPlaces(environment, report);
        var models = options.Models.SelectMany(model => model.Aliases.Prepend(model.Name)).ToHashSet(StringComparer.Ordinal);
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < access.Tenants.Count; i++)
        {
            CheckTenant(access.Tenants[i], $"access.tenants[{i}]", access, names, models, keys, report);
        }

        CheckAnonymous(access, names, report);
        keys.TakeAll(access.OpsKeys, "access.opsKeys", access.OpsKeyEnv, "access.opsKeyEnv");
        if (access.ProtectMetrics && !access.HasOpsKeys)
        {
            report.Add("access.protectMetrics", "needs an ops key: give access.opsKeys or access.opsKeyEnv.");
        }

        if (access.SecretEnv is { Length: > 0 } secret)
        {
            ModelRules.CheckVariable(secret, "access.secretEnv", environment, report);
        }
    }

    private static void CheckTenant(
        TenantOptions tenant, string path, AccessOptions access, Dictionary<string, string> names, HashSet<string> models, KeyPlaces keys, RuleReport report)
    {
        if (tenant.Name.Length > 0 && !NameForm().IsMatch(tenant.Name))
        {
            report.Add($"{path}.name", "a tenant's name has up to 64 letters, digits and any of . _ -");
        }
        else if (tenant.Name.Length > 0 && !names.TryAdd(tenant.Name, path))
        {
            report.Add($"{path}.name", $"\"{SettingText.Shown(tenant.Name)}\" is taken by {names[tenant.Name]}.");
        }

        for (var i = 0; i < tenant.Models.Count; i++)
        {
            if (tenant.Models[i].Length > 0 && !models.Contains(tenant.Models[i]))
            {
                var at = report.IsWritten($"{path}.models[{i}]") ? $"{path}.models[{i}]" : $"{path}.models";
                report.Add(at, $"no model or alias is called \"{SettingText.Shown(tenant.Models[i])}\".", NearestWord.To(tenant.Models[i], models));
            }
        }

        keys.TakeAll(tenant.Keys, $"{path}.keys", tenant.KeyEnv, $"{path}.keyEnv");
        if (tenant.Keys.Count + tenant.KeyEnv.Count == 0 && access.KeysFile is null && access.AnonymousTenant != tenant.Name)
        {
            report.Add(path, "has no key. Give keys or keyEnv, or access.keysFile.");
        }
    }

    private static void CheckAnonymous(AccessOptions access, Dictionary<string, string> names, RuleReport report)
    {
        if (access.AnonymousTenant is { Length: > 0 } name && !names.ContainsKey(name))
        {
            report.Add("access.anonymousTenant", $"no tenant is called \"{SettingText.Shown(name)}\".", NearestWord.To(name, names.Keys));
        }
    }

    /// <summary>Every key once, wherever it is written. A text in a key's place is never shown: it may be the key itself.</summary>
    private sealed class KeyPlaces(IReadOnlyDictionary<string, string> environment, RuleReport report)
    {
        private readonly Dictionary<KeyDigest, string> _taken = [];

        public void TakeAll(IReadOnlyList<string> hashes, string hashesAt, IReadOnlyList<string> variables, string variablesAt)
        {
            for (var i = 0; i < hashes.Count; i++)
            {
                var at = PlaceOf(hashesAt, i);
                if (KeyDigest.Parse(hashes[i]) is { } digest)
                {
                    Take(digest, at);
                }
                else if (hashes[i].Length > 0)
                {
                    report.Add(at, "is not the hash of a key. Write sha256: and the 64 hexadecimal digits of the key's SHA-256; the key itself does not belong in this file.");
                }
            }

            for (var i = 0; i < variables.Count; i++)
            {
                var at = PlaceOf(variablesAt, i);
                if (variables[i].Length > 0 && ModelRules.CheckVariable(variables[i], at, environment, report) is { } key)
                {
                    Take(KeyDigest.Of(key), at);
                }
            }
        }

        private void Take(KeyDigest digest, string at)
        {
            if (!_taken.TryAdd(digest, at))
            {
                report.Add(at, $"the same key as {_taken[digest]}. A key belongs to one tenant.");
            }
        }

        private string PlaceOf(string list, int i) => report.IsWritten($"{list}[{i}]") ? $"{list}[{i}]" : list;
    }

    [GeneratedRegex("^[A-Za-z0-9._-]{1,64}$")]
    private static partial Regex NameForm();
}
