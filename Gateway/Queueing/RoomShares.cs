using System.Runtime.InteropServices;
using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>Under fairness: how much of the pool's room each client holds and asks for, and how much of it one that holds more than its share must leave free for the
/// others. Guarded by its dispatcher's lock.</summary>
/// <remarks>
/// A share is the weighted max-min one: of the room less the headroom everybody gets what they ask for, up to one level per unit of weight. Only who was served about
/// as much as the most served, and wants twice as much as anybody who was not, is held to it. The headroom is what the others held at their peak of the last minute and a tenth more, less what they hold now: nobody
/// is kept from their share, and while the others are idle for a minute nobody is held.
/// </remarks>
internal sealed class RoomShares(Pool pool, TimeProvider time)
{
    // Among clients alike one often wants a little more than the others.
    private const double Flood = 2;

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
    private double _mostWanted;

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
        var order = (IFairOrder)plan.Order;
        var (held, others, count) = (0.0, 0.0, 0);
        _mostWanted = 0;
        foreach (var (key, client) in _clients)
        {
            var (holds, wants) = (client.Held.Share, client.Held.Share + client.Waiting);
            if (wants <= 0 && client.WaitingCount == 0)
            {
                _clients.Remove(key);
                continue;
            }
            held += holds;
            var isAhead = order.IsAhead(key);
            if (isAhead != client.IsAhead)
            {
                // What it holds was, or was not, part of what the others held.
                _othersPeak.Shift(isAhead ? -holds : holds);
                client.IsAhead = isAhead;
            }
            if (!isAhead)
            {
                others += holds;
                _mostWanted = Math.Max(_mostWanted, wants / client.Weight);
            }
            if (count == _open.Length)
            {
                Array.Resize(ref _open, 2 * count);
            }
            _open[count++] = (wants, client.Weight);
        }
        _headroom = Math.Clamp((Safety * _othersPeak.Of(others)) - others, 0, plan.Queue.FairnessHeadroom);
        // Past-Future gives out more than the sum of what the answers will hold, for they do not end together.
        _level = LevelOf(_open.AsSpan(0, count), Math.Max(1, held) - _headroom);
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
        client.IsAhead && client.Held.Share + added > _level * client.Weight && client.Held.Share + client.Waiting + added > Flood * _mostWanted * client.Weight;

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
        client ??= new Client { IsAhead = ((IFairOrder)plan.Order).IsAhead(request.TenantKey) };
        client.Weight = request.TenantWeight;
        return client;
    }

    /// <summary>One client's part of the room.</summary>
    internal sealed class Client
    {
        public HeldRoom Held { get; } = new();

        /// <summary>Share of the room that its waiting requests ask for.</summary>
        public double Waiting { get; set; }

        /// <summary>Whether it was served about as much as the most served.</summary>
        public bool IsAhead { get; set; }

        public int WaitingCount { get; set; }

        public double Weight { get; set; } = 1;
    }
}
