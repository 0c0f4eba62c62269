namespace Gateway.Access.Limits;

/// <content>What other gateways use of the same limits.</content>
public sealed partial class TenantAccount
{
    private Dictionary<string, LimitUse> _known = new(StringComparer.Ordinal);
    private LimitUse _taken;
    private LimitUse _peers;

    internal LimitUse Use(LimitOptions limits)
    {
        lock (_gate)
        {
            RefillLocked(limits);
            return _taken with
            {
                Running = _running,
                ReservedTokens = _reserved,
                SpentTokens = _spentToday,
                Day = _day.DayNumber,
                Counted = _known.Count,
                RequestsLevel = _requests.KnownLevel,
                TokensLevel = _tokens.KnownLevel,
                InputLevel = _input.KnownLevel,
                OutputLevel = _output.KnownLevel,
            };
        }
    }

    internal LimitVerdict ReserveAgain(LimitOptions limits, TokenAmount expected, IReadOnlyList<PeerUse> peers)
    {
        lock (_gate)
        {
            _running--;
            _reserved -= expected.Total;
            TakeRequestsLocked(-1);
            TakeLocked(new TokenAmount(-expected.Input, -expected.Output));
            CountPeersLocked(limits, peers);
            return ReserveLocked(limits, expected);
        }
    }

    internal void CountPeers(LimitOptions limits, IReadOnlyList<PeerUse> peers)
    {
        lock (_gate)
        {
            CountPeersLocked(limits, peers);
        }
    }

    internal bool AnyNew(IReadOnlyList<PeerUse> peers)
    {
        lock (_gate)
        {
            return peers.Any(peer => !_known.ContainsKey(peer.Gateway));
        }
    }

    internal void ForgetPeers()
    {
        lock (_gate)
        {
            _peers = _peers with { Running = 0, ReservedTokens = 0 };
        }
    }

    private void CountPeersLocked(LimitOptions limits, IReadOnlyList<PeerUse> peers)
    {
        RefillLocked(limits);
        var (known, running, reserved, spent) = (new Dictionary<string, LimitUse>(peers.Count, StringComparer.Ordinal), 0, 0L, 0L);
        foreach (var peer in peers)
        {
            running += peer.IsAlive ? peer.Use.Running : 0;
            reserved += peer.IsAlive ? peer.Use.ReservedTokens : 0;
            spent += peer.Use.Day == _day.DayNumber ? peer.Use.SpentTokens : 0;
            if (_known.TryGetValue(peer.Gateway, out var before))
            {
                TakePeersLocked(limits, before, peer.Use);
            }
            else if (peer.Use.Counted == 0)
            {
                LowerLocked(limits, peer, isOwnUse: true);
            }
            known[peer.Gateway] = peer.Use;
        }
        // Last, since what was just taken may be in these levels already.
        foreach (var peer in peers)
        {
            if (peer.Use.Counted > 0 && !_known.ContainsKey(peer.Gateway))
            {
                LowerLocked(limits, peer, isOwnUse: false);
            }
        }
        _known = known;
        _peers = new LimitUse { Running = running, ReservedTokens = reserved, SpentTokens = spent };
    }

    // Of one that was not heard of for long no more than a minute's worth: the rest has grown again.
    private void TakePeersLocked(LimitOptions limits, in LimitUse before, in LimitUse now)
    {
        var (input, output) = (now.InputTokens - before.InputTokens, now.OutputTokens - before.OutputTokens);
        _requests.Take(Math.Min(now.Requests - before.Requests, limits.RequestsPerMinute ?? 0));
        _tokens.Take(Math.Min(input + output, limits.TokensPerMinute ?? 0));
        _input.Take(Math.Min(input, limits.InputTokensPerMinute ?? 0));
        _output.Take(Math.Min(output, limits.OutputTokensPerMinute ?? 0));
    }

    // What it took before it was first heard of: all that its buckets lack where it has counted nobody yet; else its buckets are everybody's, and the lower level is right.
    private void LowerLocked(LimitOptions limits, in PeerUse peer, bool isOwnUse)
    {
        var minutes = peer.Age.TotalMinutes;
        Lower(ref _requests, peer.Use.RequestsLevel, limits.RequestsPerMinute);
        Lower(ref _tokens, peer.Use.TokensLevel, limits.TokensPerMinute);
        Lower(ref _input, peer.Use.InputLevel, limits.InputTokensPerMinute);
        Lower(ref _output, peer.Use.OutputLevel, limits.OutputTokensPerMinute);

        void Lower(ref TokenBucket bucket, double level, long? limit)
        {
            if (limit is not { } perMinute)
            {
                return;
            }
            var now = level + (minutes * perMinute);
            if (isOwnUse)
            {
                bucket.Take(Math.Max(0, perMinute - now));
            }
            else
            {
                bucket.LowerTo(now);
            }
        }
    }
}
