namespace Gateway.Access.Limits;

/// <summary>Tokens of a request: expected before, real after.</summary>
/// <param name="Input">Of the prompt; at least 0.</param>
/// <param name="Output">Of the answer; at least 0.</param>
public readonly record struct TokenAmount(long Input, long Output)
{
    public static readonly TokenAmount None;

    public long Total => Input + Output;
}

/// <summary>Which limit was met.</summary>
public enum LimitKind
{
    /// <summary>None: the request may go.</summary>
    None,
    Requests,
    Tokens,
    Concurrency,
    DailyTokens,
}

/// <summary>How one limit stands.</summary>
/// <param name="Limit">Per minute.</param>
/// <param name="Remaining">What could be taken now; at least 0.</param>
/// <param name="Reset">Until all of it is there again.</param>
public readonly record struct LimitState(long Limit, long Remaining, TimeSpan Reset);

/// <summary>The answer to a reservation.</summary>
/// <param name="Met">The limit that stands in the way; none: everything is reserved.</param>
/// <param name="RetryAfter">When that limit may let the request pass; zero where none stands in the way.</param>
/// <param name="Requests">Requests per minute; null: not limited.</param>
/// <param name="Tokens">The scarcest of the limits on tokens per minute; null: not limited.</param>
public readonly record struct LimitVerdict(LimitKind Met, TimeSpan RetryAfter, LimitState? Requests, LimitState? Tokens);

/// <summary>Keeps account of what tenants use. Thread-safe; each call is one atomic step.</summary>
/// <remarks>An implementation that asks another process keeps a deadline of a few milliseconds of its own, and answers from its own view once that has passed.</remarks>
public interface ILimitLedger
{
    /// <summary>Takes a request's share of every limit of its tenant, or of none.</summary>
    /// <param name="tenant">Whose account.</param>
    /// <param name="expected">What the request will probably use.</param>
    ValueTask<LimitVerdict> ReserveAsync(Tenant tenant, TokenAmount expected);

    /// <summary>Puts what was really used in the place of what was reserved, and frees the request's place. Once for each reservation that was made; returns at once.</summary>
    /// <param name="tenant">Whose account.</param>
    /// <param name="reserved">As given to <see cref="ReserveAsync"/>.</param>
    /// <param name="used">Really used, whatever the ending.</param>
    void Settle(Tenant tenant, TokenAmount reserved, TokenAmount used);
}
