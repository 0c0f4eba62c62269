namespace Gateway.Access.Limits;

/// <content>What other gateways use of the same limits.</content>
public sealed partial class TenantAccount
{
    // After so long without a word from a gateway, what it took has refilled: whether it was counted no longer matters to anybody.
    private static readonly TimeSpan Refilled = TimeSpan.FromMinutes(2);

    private readonly Dictionary<string, PeerUse> _known = new(StringComparer.Ordinal);
    private TakenSums _taken;
    private LimitUse _peers = new();
    private long _sequence;
    private long _heard;

    /// <summary>Whether a request holds a place, here or, as last heard, at another gateway.</summary>
    internal bool IsInUse
    {
        get { lock (_gate) { return _running > 0 || _peers.Running > 0; } }
    }

    // By the limits of the last request: whoever ends or is heard of may know older ones.
    internal LimitUse Use()
    {
        lock (_gate)
        {
            RefillLocked(_limits);
            return new LimitUse
            {
                Sequence = ++_sequence,
                Taken = _taken,
                Running = _running,
                ReservedTokens = _reserved,
                SpentTokens = _spentToday,
                Day = _day.DayNumber,
                Levels = new BucketLevels(_requests.KnownLevel, _tokens.KnownLevel, _input.KnownLevel, _output.KnownLevel),
                Counted = _known.Where(peer => peer.Value.Age <= Refilled).ToDictionary(peer => peer.Key, peer => peer.Value.Use.Taken, StringComparer.Ordinal),
            };
        }
    }

    internal LimitVerdict ReserveAgain(LimitOptions limits, TokenAmount expected, in PeerReport report)
    {
        lock (_gate)
        {
            _running--;
            _reserved -= expected.Total;
            TakeRequestsLocked(-1);
            TakeLocked(new TokenAmount(-expected.Input, -expected.Output));
            CountPeersLocked(report);
            return ReserveLocked(limits, expected);
        }
    }

    internal void CountPeers(in PeerReport report)
    {
        lock (_gate)
        {
            CountPeersLocked(report);
        }
    }

    internal void ForgetPeers()
    {
        lock (_gate)
        {
            _peers = _peers with { Running = 0, ReservedTokens = 0 };
        }
    }

    private void CountPeersLocked(in PeerReport report)
    {
        // Reports may arrive out of order: one that was asked for earlier than the last is older and is dropped.
        if (report.Asked < _heard)
        {
            return;
        }
        _heard = report.Asked;
        RefillLocked(_limits);
        foreach (var peer in report.Peers)
        {
            if (_known.TryGetValue(peer.Gateway, out var before) && peer.Use.Sequence > before.Use.Sequence)
            {
                TakePeersLocked(before.Use.Taken, peer.Use.Taken);
            }
        }
        foreach (var peer in report.Peers)
        {
            if (!_known.ContainsKey(peer.Gateway))
            {
                LowerLocked(peer, report);
            }
        }
        KeepLocked(report.Peers);
    }

    private void KeepLocked(IReadOnlyList<PeerUse> peers)
    {
        foreach (var gone in _known.Keys.Except(peers.Select(peer => peer.Gateway), StringComparer.Ordinal).ToArray())
        {
            _known.Remove(gone);
        }
        var (running, reserved, spent) = (0, 0L, 0L);
        foreach (var peer in peers)
        {
            if (!_known.TryGetValue(peer.Gateway, out var before) || peer.Use.Sequence >= before.Use.Sequence)
            {
                _known[peer.Gateway] = peer;
            }
            running += peer.IsAlive ? peer.Use.Running : 0;
            reserved += peer.IsAlive ? peer.Use.ReservedTokens : 0;
            spent += peer.Use.Day == _day.DayNumber ? peer.Use.SpentTokens : 0;
        }
        _peers = new LimitUse { Running = running, ReservedTokens = reserved, SpentTokens = spent };
    }

    // After a long silence at most one minute's allowance is taken: whatever was taken before that has refilled since.
    private void TakePeersLocked(TakenSums before, TakenSums now)
    {
        var limits = _limits;
        var (input, output) = (now.InputTokens - before.InputTokens, now.OutputTokens - before.OutputTokens);
        _requests.Take(Math.Min(now.Requests - before.Requests, limits.RequestsPerMinute ?? 0));
        _tokens.Take(Math.Min(input + output, limits.TokensPerMinute ?? 0));
        _input.Take(Math.Min(input, limits.InputTokensPerMinute ?? 0));
        _output.Take(Math.Min(output, limits.OutputTokensPerMinute ?? 0));
    }

    // When a gateway is heard of for the first time, what it took before is only visible in its bucket levels. The common level is then at most its own level, less what
    // the others have taken that it has not counted yet.
    private void LowerLocked(PeerUse newcomer, PeerReport report)
    {
        var limits = _limits;
        Lower(ref _requests, limits.RequestsPerMinute, static levels => levels.Requests, static taken => taken.Requests);
        Lower(ref _tokens, limits.TokensPerMinute, static levels => levels.Tokens, static taken => taken.InputTokens + taken.OutputTokens);
        Lower(ref _input, limits.InputTokensPerMinute, static levels => levels.InputTokens, static taken => taken.InputTokens);
        Lower(ref _output, limits.OutputTokensPerMinute, static levels => levels.OutputTokens, static taken => taken.OutputTokens);

        void Lower(ref TokenBucket bucket, long? limit, Func<BucketLevels, double?> levelOf, Func<TakenSums, long> takenOf)
        {
            if (limit is not { } perMinute || levelOf(newcomer.Use.Levels) is not { } level)
            {
                return;
            }
            level = Grown(level, newcomer.Age, perMinute);
            if (level >= perMinute)
            {
                return;
            }
            foreach (var peer in report.Peers)
            {
                if (peer.Gateway != newcomer.Gateway && levelOf(peer.Use.Levels) is { } its)
                {
                    level -= Uncounted(peer.Gateway, peer.Use.Taken, Grown(its, peer.Age, perMinute), newcomer, perMinute, takenOf);
                }
            }
            level -= Uncounted(report.Gateway, _taken, bucket.Level, newcomer, perMinute, takenOf);
            bucket.LowerTo(level);
        }
    }

    // What a gateway took that the newcomer has not counted: since it counted last, or ever, and no more than that gateway's own bucket lacks now (the rest has refilled).
    private static double Uncounted(string gateway, TakenSums taken, double level, in PeerUse by, long perMinute, Func<TakenSums, long> takenOf) =>
        Math.Min(takenOf(taken) - takenOf(by.Use.Counted.GetValueOrDefault(gateway)), perMinute - level);

    private static double Grown(double level, TimeSpan age, long perMinute) => Math.Min(perMinute, level + (age.TotalMinutes * perMinute));
}
