using Gateway.Access.Limits;
using Gateway.Api;
using Gateway.Estimation;
using Gateway.Forwarding;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace Gateway.Access;

/// <summary>Who sent one request: gives it to their tenant, says what they may do, and charges what was used at its end. Used by one request.</summary>
public sealed class Caller
{
    private readonly ILimitLedger? _ledger;
    private readonly PrefixHasher? _hasher;
    private TokenAmount _reserved;
    private int _isInside;

    /// <summary>Someone of a tenant.</summary>
    public Caller(Tenant tenant, ILimitLedger ledger, PrefixHasher hasher)
    {
        (Tenant, _ledger, _hasher) = (tenant, ledger, hasher);
        Terms = new CallerTerms(EndsAuthorization: true, RemovesTrustedFields: !tenant.IsTrusted, tenant.CacheSalt);
    }

    private Caller() => Terms = CallerTerms.Open;

    /// <summary>Whoever asks an open gateway: nothing is limited, nothing is changed.</summary>
    public static Caller Anybody { get; } = new();

    /// <summary>Null: the gateway is open.</summary>
    public Tenant? Tenant { get; }

    /// <summary>What their standing changes in what an engine gets.</summary>
    public CallerTerms Terms { get; }

    /// <summary>Whether the request asked for a more urgent class than it got.</summary>
    public bool IsPriorityLowered { get; private set; }

    public bool MayUse(string model) => Tenant is null || Tenant.MayUse(model);

    /// <summary>The request as this caller's: accounted to the tenant, in a class that it may use, its sessions and stored responses apart from other tenants'.</summary>
    public InferenceRequest Own(InferenceRequest request, IHeaderDictionary headers)
    {
        if (Tenant is not { } tenant)
        {
            return request;
        }
        var priority = tenant.Clamp(request.Priority);
        // A request in the default class did not ask for a class, so lowering it is not reported.
        IsPriorityLowered = priority != request.Priority && request.Priority != PriorityClass.Default;
        return request with
        {
            TenantKey = tenant.Key,
            TenantWeight = tenant.Weight,
            FlowKey = HeaderFacts.FlowOf(headers, tenant.Key, _hasher!),
            SessionKey = OwnKey(request.SessionKey),
            Body = request.Body.PreviousResponseKey == 0 ? request.Body : request.Body with { PreviousResponseKey = OwnKey(request.Body.PreviousResponseKey) },
            Prefix = tenant.CacheSalt is null ? request.Prefix : request.Prefix with { Blocks = [.. request.Prefix.Blocks.Select(OwnKey)] },
            Priority = priority,
            PriorityLevel = priority == request.Priority ? request.PriorityLevel : 0,
        };
    }

    /// <summary>A key that no other tenant's equals; 0 stays "none".</summary>
    public ulong OwnKey(ulong key) => Tenant is null || key == 0 ? key : _hasher!.Combine(Tenant.Key, key);

    /// <summary>Takes the request's share of the tenant's limits, and sees to it that the answer tells how they stand.</summary>
    /// <returns>Why the request may not go; null: it may, and <see cref="Leave"/> is due at its end.</returns>
    public async ValueTask<ApiProblem?> EnterAsync(HttpContext http, ApiRoute route, RequestEstimate estimate)
    {
        if (Tenant is null)
        {
            return null;
        }
        var expected = route.TakesNoRoom ? TokenAmount.None : new TokenAmount(estimate.PromptTokens, (long)Math.Ceiling(estimate.OutputTokens));
        var verdict = await _ledger!.ReserveAsync(Tenant, expected);
        LimitHeaders.Attach(http.Response, verdict);
        if (verdict.Met != LimitKind.None)
        {
            return ProblemOf(verdict);
        }
        _reserved = expected;
        Volatile.Write(ref _isInside, 1);
        return null;
    }

    /// <summary>Charges what was really used. The first call counts; without an entrance it does nothing.</summary>
    public void Leave(ApiRoute route, TokenAmount used)
    {
        if (Interlocked.Exchange(ref _isInside, 0) == 1)
        {
            _ledger!.Settle(Tenant!, _reserved, route.TakesNoRoom ? TokenAmount.None : used);
        }
    }

    private static ApiProblem ProblemOf(LimitVerdict verdict) => verdict.Met switch
    {
        LimitKind.DailyTokens => OutcomeMap.BudgetSpent(verdict.RetryAfter),
        LimitKind.Concurrency => OutcomeMap.TooManyAtOnce(verdict.RetryAfter),
        LimitKind.Requests => OutcomeMap.RateLimited("requests", verdict.RetryAfter),
        _ => OutcomeMap.RateLimited("tokens", verdict.RetryAfter),
    };
}
