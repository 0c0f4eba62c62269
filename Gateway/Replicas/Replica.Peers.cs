namespace Gateway.Replicas;

/// <content>What other gateways have in the engine, as they say themselves.</content>
public sealed partial class Replica
{
    private GatewayLoad _peers;
    private int _gateways = 1;

    /// <summary>What this gateway has in flight here.</summary>
    public GatewayLoad Own
    {
        get
        {
            lock (_gate)
            {
                return new GatewayLoad(_ledger.Requests, _ledger.Sequences, _ledger.ReservedTokens, _ledger.QueuedPrefillTokens, _ledger.OutstandingTokens);
            }
        }
    }

    /// <summary>Takes over what the other gateways have in flight here, in the place of what was known of them.</summary>
    /// <param name="peers">The sum of their own ledgers.</param>
    /// <param name="gateways">How many share the replica, this one included; at least 1.</param>
    public void ObservePeers(GatewayLoad peers, int gateways)
    {
        lock (_gate)
        {
            if (_peers == peers && _gateways == gateways)
            {
                return;
            }
            (_peers, _gateways) = (peers, gateways);
            _meter.OnPeers(peers);
        }
        OnRoomReturned();
    }

    private bool AdmitsLocked(in LoadProfile load, IAdmissionRule rule, double capacityShare)
    {
        var foreign = ForeignLocked();
        var whole = new ReplicaRoom
        {
            RunningRequests = _ledger.Requests + _peers.Requests,
            RunningSequences = _ledger.Sequences + _peers.Sequences + foreign.Sequences,
            SlotLimit = SlotLimitLocked(),
            CapacityTokens = CapacityLocked(),
            CapacityShare = capacityShare,
            ShareCorrection = _steering.Correction,
            // Of peers' answers only sums are known: with ends spread evenly half of what is expected is there when they hold most.
            Foreign = foreign with { Tokens = foreign.Tokens + _peers.HeldTokens + (long)(_peers.OutstandingTokens / 2) },
            InFlight = _ledger,
        };
        return rule.Admits(load, whole) || (_gateways > 1 && rule.Admits(load, EvenShareLocked(whole, foreign)));
    }

    // As if each gateway had here what this one has: else whoever had the replica first would keep it, since it hears of returned room at once and the others later.
    private ReplicaRoom EvenShareLocked(in ReplicaRoom whole, ForeignLoad foreign) => new()
    {
        RunningRequests = _ledger.Requests * _gateways,
        RunningSequences = (_ledger.Sequences * _gateways) + foreign.Sequences,
        SlotLimit = whole.SlotLimit,
        CapacityTokens = whole.CapacityTokens / _gateways,
        CapacityShare = whole.CapacityShare,
        ShareCorrection = whole.ShareCorrection,
        Foreign = new ForeignLoad(foreign.Tokens / _gateways, foreign.Sequences / _gateways),
        InFlight = _ledger,
    };
}
