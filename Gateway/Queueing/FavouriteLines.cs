using Gateway.Replicas;

namespace Gateway.Queueing;

/// <summary>Those who wait for a full replica that holds the beginning of their prompt, although others have room: a line for each such replica. Guarded by its dispatcher's lock.</summary>
/// <param name="placer">Told who waits for which replica.</param>
/// <param name="waiting">Where they are counted, and where they wait on when their line was for nothing.</param>
/// <param name="time">The clock.</param>
/// <param name="patienceEnds">Hears of one that has waited long enough; outside every lock.</param>
internal sealed class FavouriteLines(Placer placer, ClassQueues waiting, TimeProvider time, Action<Waiter> patienceEnds)
{
    // Only those in which somebody stands: what nothing happened to costs a look at its replica's version.
    private readonly List<Line> _lines = [];
    private DispatchPlan? _plan;

    /// <summary>Whether anybody is told to wait for a favourite.</summary>
    public static bool MayWait(DispatchPlan plan) => plan.Routing.FavouriteWait > TimeSpan.Zero;

    /// <summary>Anyone who stands in a line; null when nobody does.</summary>
    public Waiter? Any() => _lines.Count > 0 ? _lines[0].Waiters.First!.Value : null;

    /// <summary>Everybody who stands in a line.</summary>
    public IEnumerable<Waiter> All() => _lines.SelectMany(static line => line.Waiters);

    /// <summary>The first of a line whose replica has room for it now; null: none. Lines whose replica takes no work any more are given up.</summary>
    public Waiter? Next(DispatchPlan plan)
    {
        var isNewPlan = _plan != plan;
        _plan = plan;
        for (var i = _lines.Count - 1; i >= 0; i--)
        {
            var line = _lines[i];
            var version = line.Replica.RoomVersion;
            if (line.FullAt == version && !isNewPlan)
            {
                continue;
            }
            var first = line.Waiters.First!.Value;
            switch (Placer.RoomAt(line.Replica, first.Request, first.Estimate, plan))
            {
                case RoomVerdict.NoWork:
                    GiveUp(line);
                    break;
                case RoomVerdict.Full:
                    line.FullAt = version;
                    break;
                default:
                    return first;
            }
        }
        return null;
    }

    /// <summary>Lets a request wait beside the queue, where nobody waits behind it but those of its line.</summary>
    /// <param name="waiter">Queued, or about to be.</param>
    /// <param name="favourite">What it waits for.</param>
    /// <param name="longest">How long at most.</param>
    public void Stand(Waiter waiter, Replica favourite, TimeSpan longest)
    {
        var isQueued = waiter.HeapIndex >= 0;
        if (isQueued)
        {
            waiting.Remove(waiter);
        }
        (waiter.Favourite, waiter.StoodAside, waiter.HeldFor) = (favourite, true, HoldReason.Favourite);
        waiter.Patience = time.CreateTimer(_ => patienceEnds(waiter), null, longest, Timeout.InfiniteTimeSpan);
        waiter.InLine = LineOf(favourite).Waiters.AddLast(waiter);
        placer.NoteWaiting(favourite, 1);
        if (isQueued)
        {
            waiting.Add(waiter);
        }
    }

    /// <summary>A request waits for its favourite no longer, but for its turn like the others.</summary>
    public void GiveUp(Waiter waiter)
    {
        if (waiter is { InLine: not null, Favourite: not null })
        {
            waiting.Remove(waiter);
            Leave(waiter);
            waiter.Favourite = null;
            waiting.Add(waiter);
        }
    }

    /// <summary>A request's wait ended, whatever for.</summary>
    public void Leave(Waiter waiter)
    {
        waiter.Patience?.Dispose();
        if (waiter is not { InLine: { } place, Favourite: { } favourite })
        {
            return;
        }
        var line = LineOf(favourite);
        line.Waiters.Remove(place);
        // The next one may be smaller.
        line.FullAt = null;
        if (line.Waiters.Count == 0)
        {
            _lines.Remove(line);
        }
        waiter.InLine = null;
        placer.NoteWaiting(favourite, -1);
    }

    private void GiveUp(Line line)
    {
        while (line.Waiters.First is { } first)
        {
            GiveUp(first.Value);
        }
    }

    private Line LineOf(Replica replica)
    {
        foreach (var known in _lines)
        {
            if (known.Replica == replica)
            {
                return known;
            }
        }
        var line = new Line(replica);
        _lines.Add(line);
        return line;
    }

    private sealed class Line(Replica replica)
    {
        public Replica Replica { get; } = replica;

        public LinkedList<Waiter> Waiters { get; } = [];

        /// <summary>The replica's version at which there was no room for the first; null: not looked at.</summary>
        public int? FullAt { get; set; }
    }
}
