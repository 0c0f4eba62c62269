namespace Gateway.Access.Limits;

/// <summary>What one tenant uses now and has used. Sole writer of its numbers, under its own lock.</summary>
public sealed partial class TenantAccount(TimeProvider time)
{
    private readonly Lock _gate = new();
    private TokenBucket _requests;
    private TokenBucket _tokens;
    private TokenBucket _input;
    private TokenBucket _output;
    private int _running;
    private DateOnly _day;
    private long _spentToday;
    private long _reserved;
    private TokenAmount _charged;
    private LimitOptions _limits = new();

    /// <summary>Requests that hold a place.</summary>
    internal int Running
    {
        get { lock (_gate) { return _running; } }
    }

    /// <summary>Tokens reserved by requests that have not ended.</summary>
    internal long ReservedTokens
    {
        get { lock (_gate) { return _reserved; } }
    }

    /// <summary>Tokens charged since the gateway started.</summary>
    internal TokenAmount Charged
    {
        get { lock (_gate) { return _charged; } }
    }

    internal LimitVerdict Reserve(LimitOptions limits, TokenAmount expected)
    {
        lock (_gate)
        {
            return ReserveLocked(limits, expected);
        }
    }

    internal void Settle(TokenAmount reserved, TokenAmount used)
    {
        lock (_gate)
        {
            // First, as of now: what was full in the meantime has no room for more than it holds.
            RefillLocked(_limits);
            _running--;
            _reserved -= reserved.Total;
            _spentToday += used.Total;
            _charged = new TokenAmount(_charged.Input + used.Input, _charged.Output + used.Output);
            TakeLocked(new TokenAmount(used.Input - reserved.Input, used.Output - reserved.Output));
        }
    }

    private LimitVerdict ReserveLocked(LimitOptions limits, TokenAmount expected)
    {
        _limits = limits;
        RefillLocked(limits);
        var (met, wait) = MetLocked(limits, expected);
        if (met == LimitKind.None)
        {
            _running++;
            _reserved += expected.Total;
            TakeRequestsLocked(1);
            TakeLocked(expected);
        }
        return new LimitVerdict(met, wait, limits.RequestsPerMinute is { } perMinute ? _requests.State(perMinute) : null, ScarcestLocked(limits));
    }

    private (LimitKind Met, TimeSpan Wait) MetLocked(LimitOptions limits, TokenAmount expected)
    {
        if (limits.DailyTokens is { } daily && _spentToday + _reserved + _peers.SpentTokens + _peers.ReservedTokens + expected.Total > daily)
        {
            return (LimitKind.DailyTokens, _day.AddDays(1).ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc) - time.GetUtcNow().UtcDateTime);
        }
        var (met, longest) = (LimitKind.None, TimeSpan.Zero);
        if (limits.MaxConcurrent is { } most && _running + _peers.Running >= most)
        {
            // It is not known when one of them ends. One second is the least that Retry-After can say.
            (met, longest) = (LimitKind.Concurrency, TimeSpan.FromSeconds(1));
        }
        Weigh(LimitKind.Requests, _requests, limits.RequestsPerMinute, 1);
        Weigh(LimitKind.Tokens, _tokens, limits.TokensPerMinute, expected.Total);
        Weigh(LimitKind.Tokens, _input, limits.InputTokensPerMinute, expected.Input);
        Weigh(LimitKind.Tokens, _output, limits.OutputTokensPerMinute, expected.Output);
        return (met, longest);

        void Weigh(LimitKind kind, in TokenBucket bucket, long? limit, long amount)
        {
            if (limit is { } perMinute && bucket.Until(amount, perMinute) is var wait && wait > longest)
            {
                (met, longest) = (kind, wait);
            }
        }
    }

    private void TakeRequestsLocked(long requests)
    {
        _requests.Take(requests);
        _taken = _taken with { Requests = _taken.Requests + requests };
    }

    private void TakeLocked(TokenAmount amount)
    {
        _taken = _taken with { InputTokens = _taken.InputTokens + amount.Input, OutputTokens = _taken.OutputTokens + amount.Output };
        _tokens.Take(amount.Total);
        _input.Take(amount.Input);
        _output.Take(amount.Output);
    }

    private void RefillLocked(LimitOptions limits)
    {
        TurnDayLocked();
        // A bucket that nothing limits stays as if new, so that a limit that comes with a reload starts full.
        Refill(ref _requests, limits.RequestsPerMinute);
        Refill(ref _tokens, limits.TokensPerMinute);
        Refill(ref _input, limits.InputTokensPerMinute);
        Refill(ref _output, limits.OutputTokensPerMinute);
    }

    private void Refill(ref TokenBucket bucket, long? limit)
    {
        if (limit is { } perMinute)
        {
            bucket.Refill(perMinute, time);
        }
        else
        {
            bucket = default;
        }
    }

    private void TurnDayLocked()
    {
        var today = DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);
        if (today != _day)
        {
            (_day, _spentToday) = (today, 0);
            _peers = _peers with { SpentTokens = 0 };
        }
    }

    private LimitState? ScarcestLocked(LimitOptions limits)
    {
        LimitState? scarcest = null;
        Offer(_tokens, limits.TokensPerMinute);
        Offer(_input, limits.InputTokensPerMinute);
        Offer(_output, limits.OutputTokensPerMinute);
        return scarcest;

        void Offer(in TokenBucket bucket, long? limit)
        {
            if (limit is { } perMinute && bucket.State(perMinute) is var state && (scarcest is not { } least || state.Remaining < least.Remaining))
            {
                scarcest = state;
            }
        }
    }
}
