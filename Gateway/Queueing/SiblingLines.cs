using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>Those who wait for another's first token, because the beginning of their prompts is the same and a replica computes it now: a line for each that they wait for. Guarded by its
/// dispatcher's lock.</summary>
/// <param name="waiting">Where they are counted, and where they wait on when their line has ended.</param>
/// <param name="time">The clock.</param>
/// <param name="patienceEnds">Hears of one that has waited long enough; outside every lock.</param>
internal sealed class SiblingLines(ClassQueues waiting, TimeProvider time, Action<Waiter> patienceEnds)
{
    private readonly List<Line> _lines = [];

    /// <summary>How long a request may wait for another's prompt from now on; zero: not at all. Who is bound to a time or a replica, or comes back from a replica, is not held.</summary>
    /// <param name="request">The request.</param>
    /// <param name="constraints">What it brings beside itself.</param>
    /// <param name="heldSince">When it first waited so; null: it has not.</param>
    /// <param name="now">Time since the core started.</param>
    /// <param name="queue">The limits in force.</param>
    public static TimeSpan PatienceOf(InferenceRequest request, Constraints constraints, TimeSpan? heldSince, TimeSpan now, QueueOptions queue)
    {
        var isBound = constraints is { Pinned: not null } or { Avoid.Count: > 0 } or { GaveUp: not null } || request.Deadline is not null || queue.HardTtftOf(request) is not null;
        return isBound || request.Prefix.Blocks.Length == 0 ? TimeSpan.Zero : queue.SiblingWait - (now - (heldSince ?? now));
    }

    /// <summary>Anyone who stands in a line; null when nobody does.</summary>
    public Waiter? Any() => _lines.Count > 0 ? _lines[0].Waiters.First!.Value : null;

    /// <summary>Everybody who stands in a line.</summary>
    public IEnumerable<Waiter> All() => _lines.SelectMany(static line => line.Waiters);

    /// <summary>Lets a request wait beside the queue until another's prompt is computed.</summary>
    /// <param name="waiter">Queued, or about to be.</param>
    /// <param name="leader">What it waits for.</param>
    /// <param name="longest">How long at most.</param>
    /// <param name="now">Time since the core started.</param>
    /// <returns>False: that prompt has been computed meanwhile, or never will be.</returns>
    public bool TryStand(Waiter waiter, LoadReservation leader, TimeSpan longest, TimeSpan now)
    {
        if (!leader.TryAwaitPrompt())
        {
            return false;
        }
        var isQueued = waiter.HeapIndex >= 0;
        if (isQueued)
        {
            waiting.Remove(waiter);
        }
        (waiter.Leader, waiter.HeldFor) = (leader, HoldReason.Sibling);
        waiter.HeldSince ??= now;
        waiter.Patience = time.CreateTimer(_ => patienceEnds(waiter), null, longest, Timeout.InfiniteTimeSpan);
        waiter.InLine = LineOf(leader).Waiters.AddLast(waiter);
        if (isQueued)
        {
            waiting.Add(waiter);
        }
        return true;
    }

    /// <summary>Whose leader has its first token, or none to come, waits for a turn like the others.</summary>
    public void Release()
    {
        for (var i = _lines.Count - 1; i >= 0; i--)
        {
            if (_lines[i] is { Leader: { IsPromptComputed: false, IsReturned: false } })
            {
                continue;
            }
            var line = _lines[i];
            _lines.RemoveAt(i);
            foreach (var waiter in line.Waiters)
            {
                Requeue(waiter);
            }
        }
    }

    /// <summary>A request waits for its leader no longer, but for its turn like the others.</summary>
    public void GiveUp(Waiter waiter)
    {
        if (waiter.Leader is not null)
        {
            Remove(waiter);
            Requeue(waiter);
        }
    }

    /// <summary>A request's wait ended, whatever for.</summary>
    public void Leave(Waiter waiter)
    {
        if (waiter.Leader is not null)
        {
            waiter.Patience?.Dispose();
            Remove(waiter);
            (waiter.Leader, waiter.InLine) = (null, null);
        }
    }

    private void Requeue(Waiter waiter)
    {
        waiter.Patience?.Dispose();
        waiting.Remove(waiter);
        (waiter.Leader, waiter.InLine) = (null, null);
        waiting.Add(waiter);
    }

    private void Remove(Waiter waiter)
    {
        var line = LineOf(waiter.Leader!);
        line.Waiters.Remove(waiter.InLine!);
        if (line.Waiters.Count == 0)
        {
            _lines.Remove(line);
        }
    }

    private Line LineOf(LoadReservation leader)
    {
        foreach (var known in _lines)
        {
            if (known.Leader == leader)
            {
                return known;
            }
        }
        var line = new Line(leader);
        _lines.Add(line);
        return line;
    }

    private sealed class Line(LoadReservation leader)
    {
        public LoadReservation Leader { get; } = leader;

        public LinkedList<Waiter> Waiters { get; } = [];
    }
}
