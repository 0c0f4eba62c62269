using Gateway.Replicas;

namespace Gateway.Queueing;

/// <summary>Those who wait for a full replica that holds the beginning of their prompt, although others have room. Guarded by its dispatcher's lock.</summary>
/// <param name="placer">Told who waits for which replica.</param>
/// <param name="waiting">Where they wait.</param>
/// <param name="time">The clock.</param>
/// <param name="patienceEnds">Wakes the queue when somebody has waited long enough; outside every lock.</param>
internal sealed class FavouriteLine(Placer placer, ClassQueues waiting, TimeProvider time, Action patienceEnds)
{
    private readonly HashSet<Replica> _stillFull = [];

    /// <summary>Room may have returned: everybody is looked at anew.</summary>
    public void BeginRound() => _stillFull.Clear();

    /// <summary>Whether a request may be told to wait for a favourite, or to go on waiting.</summary>
    public static bool MayWait(Waiter waiter, TimeSpan now, DispatchPlan plan) =>
        waiter.Favourite is null ? plan.Routing.FavouriteWait > TimeSpan.Zero : now < waiter.FavouriteUntil;

    /// <summary>Whether a request need not be tried: its favourite is still full. Of those who wait for the same one the first is looked at for all.</summary>
    public bool StillWaits(Waiter waiter, TimeSpan now, DispatchPlan plan)
    {
        if (waiter.Favourite is not { } favourite || now >= waiter.FavouriteUntil || favourite.Health != ReplicaHealth.Up)
        {
            return false;
        }
        if (!_stillFull.Contains(favourite) && Placer.HasRoom(favourite, waiter.Request, waiter.Estimate, plan))
        {
            return false;
        }
        _stillFull.Add(favourite);
        return true;
    }

    /// <summary>Lets a request wait beside the queue, where nobody waits behind it.</summary>
    /// <param name="waiter">Queued, or about to be.</param>
    /// <param name="favourite">What it waits for.</param>
    /// <param name="now">The dispatcher's time.</param>
    /// <param name="longest">How long at most.</param>
    public void Stand(Waiter waiter, Replica favourite, TimeSpan now, TimeSpan longest)
    {
        var patience = time.CreateTimer(_ => patienceEnds(), null, longest, Timeout.InfiniteTimeSpan);
        var isQueued = waiter.HeapIndex >= 0;
        if (isQueued)
        {
            waiting.Remove(waiter);
        }
        (waiter.Favourite, waiter.FavouriteUntil, waiter.Patience) = (favourite, now + longest, patience);
        waiter.HeldFor = HoldReason.Favourite;
        placer.NoteWaiting(favourite, 1);
        if (isQueued)
        {
            waiting.Add(waiter);
        }
    }

    /// <summary>A request's wait ended, whatever for.</summary>
    public void OnDecided(Waiter waiter)
    {
        waiter.Patience?.Dispose();
        if (waiter.Favourite is { } favourite)
        {
            placer.NoteWaiting(favourite, -1);
        }
    }
}
