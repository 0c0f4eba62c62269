using System.Runtime.InteropServices;
using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>Under fairness: how much of the pool's room each client holds and asks for, and how much of it one that holds more than its share must leave free for the
/// others. Guarded by its dispatcher's lock.</summary>
/// <remarks>
/// A share is the weighted max-min one: of the room less the headroom everybody gets what they ask for, up to one level per unit of weight. Held to it is the one
/// client that wants half as much again as any other, once it was served about as much as the most served; where no single one does, all that were and want twice as
/// much as anybody who was not. The headroom is what the others held at their peak of the last minute and a tenth more, less what they hold now: nobody is kept from
/// their share, and while the others are idle for a minute nobody is held.
/// </remarks>
internal sealed class RoomShares(Pool pool, TimeProvider time)
{
    // Among clients alike one often wants a little more than the others.
    private const double Flood = 2;

    // A flood shows as a backlog, and every second until it does is one in which the others wait: at twice as much it was too late.
    private const double Dominance = 1.5;

    // The next peak may be a little higher than those before.
    private const double Safety = 1.1;

    private static readonly TimeSpan RoomIsFresh = TimeSpan.FromSeconds(1);

    private readonly Dictionary<ulong, Client> _clients = [];
    private readonly RecentPeak _othersPeak = new(time);
    private (double Wanted, double Weight)[] _open = new (double, double)[16];
    private DispatchPlan? _plan;
    private long _roomAt;
    private double _perToken;
    private double _perSequence;
    private double _level = double.PositiveInfinity;
    private double _headroom;
    private Client? _dominant;
    private double _mostOfBehind;

    /// <summary>Whether a plan keeps any headroom.</summary>
    public static bool AreKept(DispatchPlan plan) => plan.Order is IFairOrder && plan.Queue.FairnessHeadroom > 0;

    /// <summary>Works out level and headroom as of now; nothing where the plan keeps none.</summary>
    public void Look(DispatchPlan plan)
    {
        (_level, _headroom) = (double.PositiveInfinity, 0);
        if (!AreKept(plan))
        {
            return;
        }
        if (_plan != plan || time.GetElapsedTime(_roomAt) >= RoomIsFresh)
        {
            Measure(plan);
        }
        var count = Gather((IFairOrder)plan.Order);
        var others = 0.0;
        foreach (var client in _clients.Values)
        {
            var floods = _dominant is null ? client.IsAhead && client.WantedPerWeight >= Flood * _mostOfBehind : client == _dominant;
            var holds = client.Held.Share;
            if (floods != client.Floods)
            {
                // What it holds was, or was not, part of what the others held.
                _othersPeak.Shift(floods ? -client.Counted : holds);
                client.Floods = floods;
            }
            client.Counted = floods ? 0 : holds;
            others += client.Counted;
        }
        _headroom = Math.Clamp((Safety * _othersPeak.Of(others)) - others, 0, plan.Queue.FairnessHeadroom);
        _level = LevelOf(_open.AsSpan(0, count), 1 - _headroom);
    }

    // What everybody wants, who is ahead, and whether one alone wants far more than each other.
    private int Gather(IFairOrder order)
    {
        Client? top = null;
        var (count, most, second) = (0, 0.0, 0.0);
        _mostOfBehind = 0;
        foreach (var (key, client) in _clients)
        {
            var wants = client.Held.Share + client.Waiting;
            if (wants <= 0 && client.WaitingCount == 0)
            {
                _clients.Remove(key);
                continue;
            }
            (client.IsAhead, client.WantedPerWeight) = (order.IsAhead(key), wants / client.Weight);
            (top, most, second) = client.WantedPerWeight > most ? (client, client.WantedPerWeight, most) : (top, most, Math.Max(second, client.WantedPerWeight));
            _mostOfBehind = client.IsAhead ? _mostOfBehind : Math.Max(_mostOfBehind, client.WantedPerWeight);
            if (count == _open.Length)
            {
                Array.Resize(ref _open, 2 * count);
            }
            _open[count++] = (wants, client.Weight);
        }
        _dominant = count > 1 && top is { } one && (one.IsAhead || one.Floods) && most >= Dominance * second ? top : null;
        return count;
    }

    /// <summary>Share of each replica's room that a request has to leave free; 0: none, its client is within its share. As of the last look.</summary>
    public double HeadroomFor(InferenceRequest request, in RequestEstimate estimate) =>
        _headroom > 0 && _clients.TryGetValue(request.TenantKey, out var client) && IsBeyondShare(client, ShareOf(estimate)) ? _headroom : 0;

    /// <summary>Whether somebody waits who is within the share. As of the last look.</summary>
    public bool IsWithin(Waiter waiter) => HeadroomFor(waiter.Request, waiter.Estimate) == 0;

    /// <summary>Whether others than a client wait.</summary>
    public bool OthersWait(InferenceRequest request)
    {
        foreach (var (key, client) in _clients)
        {
            if (key != request.TenantKey && client.WaitingCount > 0)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>A request begins to wait.</summary>
    public void OnWaits(Waiter waiter, DispatchPlan plan)
    {
        var client = Of(waiter.Request, plan);
        waiter.RoomShare = ShareOf(waiter.Estimate);
        client.Waiting += waiter.RoomShare;
        client.WaitingCount++;
        waiter.CountsFor = client;
    }

    /// <summary>Its wait ended, whatever for; one that did not wait changes nothing.</summary>
    public static void OnDecided(Waiter waiter)
    {
        if (waiter.CountsFor is { } client)
        {
            client.WaitingCount--;
            client.Waiting = client.WaitingCount == 0 ? 0 : client.Waiting - waiter.RoomShare;
            waiter.CountsFor = null;
        }
    }

    /// <summary>A request got its room.</summary>
    public void OnTurn(InferenceRequest request, in RequestEstimate estimate, LoadReservation reservation, DispatchPlan plan)
    {
        var client = Of(request, plan);
        (reservation.Holder, reservation.HeldShare) = (client.Held, ShareOf(estimate));
        client.Held.Add(reservation.HeldShare);
    }

    /// <summary>The level up to which everybody gets what they want, per unit of weight; infinite where there is enough for all.</summary>
    /// <param name="clients">What each wants, and its weight; reordered.</param>
    /// <param name="room">What there is.</param>
    internal static double LevelOf(Span<(double Wanted, double Weight)> clients, double room)
    {
        var weight = 0.0;
        foreach (var client in clients)
        {
            weight += client.Weight;
        }
        // Whoever wants less than the level leaves more to the others, which lifts it.
        for (var count = clients.Length; count > 0;)
        {
            var (level, before) = (Math.Max(0, room) / weight, count);
            for (var i = count - 1; i >= 0; i--)
            {
                if (clients[i].Wanted <= level * clients[i].Weight)
                {
                    (room, weight) = (room - clients[i].Wanted, weight - clients[i].Weight);
                    clients[i] = clients[--count];
                }
            }
            if (count == before)
            {
                return level;
            }
        }
        return double.PositiveInfinity;
    }

    private bool IsBeyondShare(Client client, double added) =>
        client.Floods && client.Held.Share > 0 && client.Held.Share + added > _level * client.Weight;

    private double ShareOf(in RequestEstimate estimate) => Math.Max((estimate.PromptTokens + estimate.OutputTokens) * _perToken, estimate.Sequences * _perSequence);

    // What is scarcest counts: KV room or slots. What is not known of a replica that works is nowhere scarce.
    private void Measure(DispatchPlan plan)
    {
        (_plan, _roomAt) = (plan, time.GetTimestamp());
        double tokens = 0, sequences = 0;
        foreach (var replica in pool.Replicas)
        {
            var now = replica.Snapshot();
            if (now.AcceptsWork)
            {
                tokens += now.CapacityTokens ?? double.PositiveInfinity;
                sequences += Math.Min(now.SlotLimit ?? double.PositiveInfinity, plan.Admission is WindowAdmission ? plan.Queue.WindowRequests : double.PositiveInfinity);
            }
        }
        (_perToken, _perSequence) = (tokens > 0 ? 1 / (plan.Queue.CapacityShare * tokens) : 0, sequences > 0 ? 1 / sequences : 0);
    }

    private Client Of(InferenceRequest request, DispatchPlan plan)
    {
        ref var client = ref CollectionsMarshal.GetValueRefOrAddDefault(_clients, request.TenantKey, out _);
        client ??= new Client { Floods = ((IFairOrder)plan.Order).IsAhead(request.TenantKey) };
        client.Weight = request.TenantWeight;
        return client;
    }

    /// <summary>One client's part of the room.</summary>
    internal sealed class Client
    {
        public HeldRoom Held { get; } = new();

        /// <summary>What it held as one of the others when that was last summed up.</summary>
        public double Counted { get; set; }

        /// <summary>Share of the room that its waiting requests ask for.</summary>
        public double Waiting { get; set; }

        /// <summary>Whether it was served about as much as the most served.</summary>
        public bool IsAhead { get; set; }

        /// <summary>What it holds and waits for, per unit of weight.</summary>
        public double WantedPerWeight { get; set; }

        /// <summary>Whether it has to leave room for the others.</summary>
        public bool Floods { get; set; }

        public int WaitingCount { get; set; }

        public double Weight { get; set; } = 1;
    }
}
