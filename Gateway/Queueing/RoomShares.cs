using System.Runtime.InteropServices;
using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>Under fairness: how much of the pool's room each client holds and asks for, and how much of it one that holds more than its share must leave free for the
/// others. Guarded by its dispatcher's lock.</summary>
/// <remarks>
/// A share is the weighted max-min one: of the room less the headroom everybody gets what they ask for, up to one level per unit of weight. Held to it are the clients
/// that send half as many requests again as they usually do; if there are none, the one that holds and waits for three times as much as any other, else the one whose
/// requests, weighted by the root of that room, are half as many again. The
/// headroom is what each of the others held at its peak of the last half to whole minute, kept free beside what they hold: nobody is kept from their share, and after a minute in which the
/// others were idle nobody is held. Those beyond their usual leave free likewise what the others' prompts took of the engines' time: short answers hold next to no room, and lengthen everybody's steps.
/// </remarks>
internal sealed partial class RoomShares(Pool pool, TimeProvider time)
{
    private static readonly TimeSpan HalfAMinute = TimeSpan.FromSeconds(30);

    // Those that hold or wait for anything, and those that did within the last minute: only the first are looked at each time.
    private readonly Dictionary<ulong, Client> _clients = [];
    private readonly Dictionary<ulong, Client> _resting = [];
    private readonly UsualDemands _usual = new();
    private readonly Client _everybody = new(new UsualDemand(0));
    private readonly long _startedAt = time.GetTimestamp();
    private double _level = double.PositiveInfinity;
    private PoolShares _headroom;

    /// <summary>Whether a plan keeps any headroom.</summary>
    public static bool AreKept(DispatchPlan plan) => plan.Order is IFairOrder && plan.Queue.FairnessHeadroom > 0;

    /// <summary>Works out level and headroom as of now; nothing where the plan keeps none.</summary>
    public void Look(DispatchPlan plan)
    {
        (_level, _headroom) = (double.PositiveInfinity, default);
        if (!AreKept(plan))
        {
            return;
        }
        if (_plan != plan || time.GetElapsedTime(_measuredAt) >= MeasureIsFresh)
        {
            Measure(plan);
        }
        var halves = Halves;
        var peaks = Gather((long)halves, out var count);
        var (most, own) = FindFlooders(count, halves, plan.Queue.FairnessHeadroom);
        if (most.IsAny)
        {
            // Sums of peaks less some of them may be a rounding below nothing.
            _headroom = PoolShares.Max(default, PoolShares.Min(peaks - own, most));
            _level = LevelOf(_open.AsSpan(0, count), 1 - _headroom.Room);
        }
    }

    /// <summary>Share of each replica's room that a request has to leave free; 0: none, its client is within its shares; 1: only an idle replica takes it. As of the last look.</summary>
    public double HeadroomFor(InferenceRequest request, in RequestEstimate estimate)
    {
        if (!_headroom.IsAny || !_clients.TryGetValue(request.TenantKey, out var client) || !client.Floods)
        {
            return 0;
        }
        var shares = SharesOf(estimate);
        return IsBeyondPrefill(client, shares.Prefill) ? 1 : IsBeyondShare(client, shares.Room) ? _headroom.Room : 0;
    }

    /// <summary>Whether somebody waits who is within the share. As of the last look.</summary>
    public bool IsWithin(Waiter waiter) => HeadroomFor(waiter.Request, waiter.Remaining) == 0;

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
    public void OnWaits(Waiter waiter)
    {
        var client = Of(waiter.Request);
        waiter.Shares = SharesOf(waiter.Remaining);
        client.AddWaiting(waiter.Shares);
        if (!waiter.HasAsked)
        {
            NoteAsked(client);
        }
        waiter.CountsFor = client;
    }

    /// <summary>Its wait ended, whatever for; one that did not wait changes nothing.</summary>
    public static void OnDecided(Waiter waiter)
    {
        if (waiter.CountsFor is { } client)
        {
            client.RemoveWaiting(waiter.Shares);
            waiter.CountsFor = null;
        }
    }

    /// <summary>A request got its room.</summary>
    /// <param name="request">The request.</param>
    /// <param name="estimate">What it is expected to cost.</param>
    /// <param name="reservation">Its room.</param>
    /// <param name="hasAsked">Whether it counts already among those that its client sent.</param>
    public void OnTurn(InferenceRequest request, in RequestEstimate estimate, LoadReservation reservation, bool hasAsked)
    {
        var client = Of(request);
        if (!hasAsked)
        {
            NoteAsked(client);
        }
        reservation.HoldFor(client.Held, SharesOf(estimate with { CachedTokens = estimate.PromptTokens - reservation.Load.UncachedTokens }));
        client.NotePeak(Half);
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

    private double Halves => time.GetElapsedTime(_startedAt) / HalfAMinute;

    private long Half => (long)Halves;

    private void NoteAsked(Client client)
    {
        var halves = Halves;
        client.NoteAsked(halves);
        _everybody.NoteAsked(halves);
    }

    // Beyond an even share, while prompts of all take more of the engines' time than who floods may help to take. One request it may always have in flight.
    private bool IsBeyondPrefill(Client client, double added) =>
        _headroom.Prefill > 0 && client.Held.Prefill > 0 && (client.Held.Prefill + added) * _weights > client.Weight && _prefill + added > 1 - _headroom.Prefill;

    private bool IsBeyondShare(Client client, double added) =>
        client.Held.Room > 0 && client.Held.Room + added > _level * client.Weight;

    private Client Of(InferenceRequest request)
    {
        ref var client = ref CollectionsMarshal.GetValueRefOrAddDefault(_clients, request.TenantKey, out _);
        if (client is null && _resting.Remove(request.TenantKey, out client))
        {
            _restingPeaks -= client.Peak;
        }
        client ??= new Client(_usual.Of(request.TenantKey, Half));
        client.Weight = request.TenantWeight;
        return client;
    }
}
