using System.Collections.Frozen;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Access;

/// <summary>What tenants are made from besides their options.</summary>
/// <param name="Models">The models served, for names and aliases.</param>
/// <param name="Environment">Reads an environment variable.</param>
/// <param name="Keys">The lines of the keys file.</param>
/// <param name="Hasher">Hashes names.</param>
/// <param name="Secret">What salts are made from.</param>
public sealed record DirectorySources(
    IReadOnlyList<ModelOptions> Models, Func<string, string?> Environment, IReadOnlyList<KeyLine> Keys, PrefixHasher Hasher, byte[] Secret);

/// <summary>Every tenant and every key in force. Immutable, thread-safe.</summary>
public sealed class TenantDirectory
{
    private readonly FrozenDictionary<KeyDigest, Tenant> _byKey;
    private readonly FrozenSet<KeyDigest> _opsKeys;

    private TenantDirectory(IReadOnlyList<Tenant> tenants, Dictionary<KeyDigest, Tenant> byKey, IEnumerable<KeyDigest> opsKeys, AccessOptions options)
    {
        Tenants = tenants;
        _byKey = byKey.ToFrozenDictionary();
        _opsKeys = opsKeys.ToFrozenSet();
        AsksForOpsKey = options.HasOpsKeys;
        ProtectsMetrics = options.ProtectMetrics;
        Anonymous = tenants.FirstOrDefault(tenant => tenant.Name == options.AnonymousTenant);
    }

    public IReadOnlyList<Tenant> Tenants { get; }

    /// <summary>Who asks without a key; null: nobody may.</summary>
    public Tenant? Anonymous { get; }

    /// <summary>Whether the ops endpoints ask for a key.</summary>
    public bool AsksForOpsKey { get; }

    /// <summary>Whether <c>/metrics</c> does, too.</summary>
    public bool ProtectsMetrics { get; }

    /// <summary>Whose key this is; null: nobody's.</summary>
    public Tenant? Find(string key) => _byKey.GetValueOrDefault(KeyDigest.Of(key));

    public bool IsOpsKey(string key) => _opsKeys.Contains(KeyDigest.Of(key));

    /// <summary>Puts it together from checked options; of a key that is written twice the first place counts.</summary>
    public static TenantDirectory Create(AccessOptions options, DirectorySources sources)
    {
        var tenants = options.Tenants.Select(tenant => Resolve(tenant, options, sources)).ToArray();
        var byKey = new Dictionary<KeyDigest, Tenant>();
        foreach (var (tenant, written) in tenants.Zip(options.Tenants))
        {
            var listed = sources.Keys.Where(line => line.Tenant == tenant.Name).Select(line => line.Digest);
            foreach (var digest in Digests(written.Keys, written.KeyEnv, sources.Environment).Concat(listed))
            {
                byKey.TryAdd(digest, tenant);
            }
        }
        return new TenantDirectory(tenants, byKey, Digests(options.OpsKeys, options.OpsKeyEnv, sources.Environment), options);
    }

    private static Tenant Resolve(TenantOptions tenant, AccessOptions options, DirectorySources sources) => new()
    {
        Name = tenant.Name,
        Key = sources.Hasher.Key(Encoding.UTF8.GetBytes(tenant.Name)),
        Weight = tenant.Weight,
        Models = tenant.Models.Count == 0 ? null : tenant.Models.SelectMany(name => NamesOf(name, sources.Models)).ToFrozenSet(StringComparer.Ordinal),
        IsTrusted = tenant.Trusted,
        Limits = tenant.Limits.Over(options.Defaults),
        CacheSalt = options.CacheSalt ? SaltOf(tenant.Name, sources.Secret) : null,
    };

    private static IEnumerable<string> NamesOf(string name, IReadOnlyList<ModelOptions> models) =>
        models.FirstOrDefault(model => model.Name == name)?.Aliases.Prepend(name) ?? [name];

    private static string SaltOf(string name, byte[] secret) =>
        Convert.ToHexString(HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes(name)).AsSpan(0, 16)).ToLower(CultureInfo.InvariantCulture);

    private static IEnumerable<KeyDigest> Digests(IReadOnlyList<string> hashes, IReadOnlyList<string> variables, Func<string, string?> environment) =>
        hashes.Select(KeyDigest.Parse).Concat(variables.Select(environment).Select(key => string.IsNullOrEmpty(key) ? (KeyDigest?)null : KeyDigest.Of(key)))
            .OfType<KeyDigest>();
}
