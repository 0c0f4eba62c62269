namespace Gateway.Replicas;

/// <content>What other gateways have in the engine, as they say themselves.</content>
public sealed partial class Replica
{
    // Part of its even share that each gateway may always fill, whatever the others hold: enough that none starves, little enough that equally busy gateways never need it.
    private const double SureShare = 0.25;

    private GatewayLoad _peers;
    private Course[] _guests = [];
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

    /// <summary>The courses of what this gateway has in flight here, the first to end first; where there are too many, neighbours are merged.</summary>
    /// <param name="most">How many at most, above 1.</param>
    internal Course[] OwnCourses(int most)
    {
        lock (_gate)
        {
            return Course.Outline(_ledger.Courses, _ledger.SharedTokens, most);
        }
    }

    /// <summary>Replaces what is known of the other gateways' load here. Returns whether it changed; the caller then has to tell the waiting requests that room may have returned.</summary>
    /// <param name="peers">The sum of their own ledgers.</param>
    /// <param name="courses">Their courses, the first to end first. Kept.</param>
    /// <param name="gateways">How many share the replica, this one included; at least 1.</param>
    internal bool ObservePeers(GatewayLoad peers, Course[] courses, int gateways)
    {
        lock (_gate)
        {
            if (_peers == peers && _gateways == gateways && _guests.AsSpan().SequenceEqual(courses))
            {
                return false;
            }
            (_peers, _guests, _gateways) = (peers, courses, gateways);
            _meter.OnPeers(peers);
        }
        Interlocked.Increment(ref _roomVersion);
        return true;
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
            Foreign = foreign,
            InFlight = _ledger,
            Guests = _guests,
        };
        return rule.Admits(load, whole) || (_gateways > 1 && rule.Admits(load, SureRoomLocked(whole, foreign)));
    }

    // Tests whether this gateway is still within its sure share (a quarter of its even one). Without such a share the gateway that filled a replica first would keep it: it hears
    // of returned room at once, the others only later.
    private ReplicaRoom SureRoomLocked(in ReplicaRoom whole, ForeignLoad foreign)
    {
        var parts = _gateways / SureShare;
        return new()
        {
            RunningRequests = (int)(_ledger.Requests * parts),
            RunningSequences = (int)(_ledger.Sequences * parts) + foreign.Sequences,
            SlotLimit = whole.SlotLimit,
            CapacityTokens = (long?)(whole.CapacityTokens / parts),
            CapacityShare = whole.CapacityShare,
            ShareCorrection = whole.ShareCorrection,
            Foreign = new ForeignLoad((long)(foreign.Tokens / parts), (int)(foreign.Sequences / parts)),
            InFlight = _ledger,
        };
    }
}
