namespace Gateway.Access.Limits;

/// <content>What other gateways use of the same limits.</content>
public sealed partial class TenantAccount
{
    private readonly Dictionary<string, LimitUse> _known = new(StringComparer.Ordinal);
    private TakenSums _taken;
    private LimitUse _peers = new();
    private long _sequence;
    private long _heard;

    internal LimitUse Use(LimitOptions limits)
    {
        lock (_gate)
        {
            RefillLocked(limits);
            return new LimitUse
            {
                Sequence = ++_sequence,
                Taken = _taken,
                Running = _running,
                ReservedTokens = _reserved,
                SpentTokens = _spentToday,
                Day = _day.DayNumber,
                Levels = new BucketLevels(_requests.KnownLevel, _tokens.KnownLevel, _input.KnownLevel, _output.KnownLevel),
                Counted = _known.ToDictionary(peer => peer.Key, peer => peer.Value.Taken, StringComparer.Ordinal),
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
            CountPeersLocked(limits, report);
            return ReserveLocked(limits, expected);
        }
    }

    internal void CountPeers(LimitOptions limits, in PeerReport report)
    {
        lock (_gate)
        {
            CountPeersLocked(limits, report);
        }
    }

    internal void ForgetPeers()
    {
        lock (_gate)
        {
            _peers = _peers with { Running = 0, ReservedTokens = 0 };
        }
    }

    private void CountPeersLocked(LimitOptions limits, in PeerReport report)
    {
        // Answers may overtake each other; what was asked later has seen more.
        if (report.Asked < _heard)
        {
            return;
        }
        _heard = report.Asked;
        RefillLocked(limits);
        foreach (var peer in report.Peers)
        {
            if (_known.TryGetValue(peer.Gateway, out var before) && peer.Use.Sequence > before.Sequence)
            {
                TakePeersLocked(limits, before.Taken, peer.Use.Taken);
            }
        }
        foreach (var peer in report.Peers)
        {
            if (!_known.ContainsKey(peer.Gateway))
            {
                LowerLocked(limits, peer, report);
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
            if (!_known.TryGetValue(peer.Gateway, out var before) || peer.Use.Sequence > before.Sequence)
            {
                _known[peer.Gateway] = peer.Use;
            }
            running += peer.IsAlive ? peer.Use.Running : 0;
            reserved += peer.IsAlive ? peer.Use.ReservedTokens : 0;
            spent += peer.Use.Day == _day.DayNumber ? peer.Use.SpentTokens : 0;
        }
        _peers = new LimitUse { Running = running, ReservedTokens = reserved, SpentTokens = spent };
    }

    // Of one that was not heard of for long no more than a minute's worth: the rest has grown again.
    private void TakePeersLocked(LimitOptions limits, TakenSums before, TakenSums now)
    {
        var (input, output) = (now.InputTokens - before.InputTokens, now.OutputTokens - before.OutputTokens);
        _requests.Take(Math.Min(now.Requests - before.Requests, limits.RequestsPerMinute ?? 0));
        _tokens.Take(Math.Min(input + output, limits.TokensPerMinute ?? 0));
        _input.Take(Math.Min(input, limits.InputTokensPerMinute ?? 0));
        _output.Take(Math.Min(output, limits.OutputTokensPerMinute ?? 0));
    }

    // A newcomer's levels, less what everybody has taken that it has not counted, are the levels of all: what it took before it was first heard of is in them.
    private void LowerLocked(LimitOptions limits, PeerUse newcomer, PeerReport report)
    {
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

    // Where nothing was counted yet: what was taken since its start, less what has grown again; its level lacks at least that.
    private static double Uncounted(string gateway, TakenSums taken, double level, in PeerUse by, long perMinute, Func<TakenSums, long> takenOf) =>
        by.Use.Counted.TryGetValue(gateway, out var counted)
            ? takenOf(taken) - takenOf(counted)
            : Math.Min(takenOf(taken), perMinute - level);

    private static double Grown(double level, TimeSpan age, long perMinute) => Math.Min(perMinute, level + (age.TotalMinutes * perMinute));
}
