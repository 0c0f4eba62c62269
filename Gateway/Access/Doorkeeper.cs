using Gateway.Access.Limits;
using Gateway.Api;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.Access;

/// <summary>Says who asks, and whether they may. Thread-safe.</summary>
/// <param name="ledger">Keeps account of the limits.</param>
/// <param name="hasher">Hashes what is kept of callers.</param>
public sealed class Doorkeeper(ILimitLedger ledger, PrefixHasher hasher)
{
    /// <summary>Longest key that is looked at.</summary>
    public const int MaxKeyLength = 4_096;

    private const string Bearer = "Bearer ";

    private volatile TenantDirectory? _directory;
    private volatile ILimitLedger _ledger = ledger;

    /// <summary>Keeps account of the limits of those who enter from now on.</summary>
    public ILimitLedger Ledger
    {
        get => _ledger;
        set => _ledger = value;
    }

    /// <summary>Everybody in force; null: the gateway is open.</summary>
    public TenantDirectory? Directory
    {
        get => _directory;
        set => _directory = value;
    }

    /// <summary>Who asks a data route.</summary>
    /// <returns>Null exactly where the caller may not enter; then <paramref name="problem"/> says why.</returns>
    public Caller? Identify(IHeaderDictionary headers, out ApiProblem? problem)
    {
        problem = null;
        if (_directory is not { } directory)
        {
            return Caller.Anybody;
        }
        var (key, isGiven) = KeyOf(headers);
        var tenant = isGiven ? (key is null ? null : directory.Find(key)) : directory.Anonymous;
        if (tenant is null)
        {
            problem = isGiven ? OutcomeMap.WrongKey() : OutcomeMap.MissingKey();
            return null;
        }
        return new Caller(tenant, _ledger, hasher);
    }

    /// <summary>A tenant's request as an operator supposes it; null: there is no such tenant.</summary>
    public Caller? Named(string tenant) =>
        _directory?.Tenants.FirstOrDefault(known => known.Name == tenant) is { } found ? new Caller(found, _ledger, hasher) : null;

    /// <summary>Whether an ops endpoint may be asked.</summary>
    /// <param name="http">The request.</param>
    /// <param name="isMetrics">Whether it is the metrics page, which is open unless the configuration says otherwise.</param>
    /// <returns>Why not; null: it may.</returns>
    public ApiProblem? OpsProblem(HttpContext http, bool isMetrics)
    {
        if (_directory is not { AsksForOpsKey: true } directory || (isMetrics && !directory.ProtectsMetrics))
        {
            return null;
        }
        var (key, _) = KeyOf(http.Request.Headers);
        return key is not null && directory.IsOpsKey(key) ? null : OutcomeMap.OpsKeyNeeded();
    }

    /// <summary>Whether changes are guarded by an ops key, so that they need not come from this machine.</summary>
    public bool AsksForOpsKey => _directory is { AsksForOpsKey: true };

    // The first header that is there counts: a client that sends two keys must not be able to try both at once.
    private static (string? Key, bool IsGiven) KeyOf(IHeaderDictionary headers)
    {
        if (headers.Authorization is { Count: > 0 } authorization)
        {
            var value = Single(authorization);
            return value is not null && value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? (Bounded(value[Bearer.Length..].Trim()), true) : (null, true);
        }
        return headers.TryGetValue("x-api-key", out var anthropic) ? (Bounded(Single(anthropic)), true)
            : headers.TryGetValue("api-key", out var azure) ? (Bounded(Single(azure)), true)
            : (null, false);
    }

    private static string? Single(StringValues values) => values.Count == 1 ? values[0] : null;

    private static string? Bounded(string? key) => key is { Length: > 0 and <= MaxKeyLength } ? key : null;
}
