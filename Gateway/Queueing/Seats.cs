using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>Who may have to give up a place to a more urgent request, and who must now. One per pool. Thread-safe; the lock order is dispatcher, this, replica.</summary>
internal sealed class Seats
{
    // So often a request starts again; then it keeps its place.
    public const int MostTimes = 2;

    // A larger request is not worth more answers than these.
    private const int MostVictims = 4;

    // Replicas that are compared: more of them would find little better.
    private const int MostReplicas = 16;

    // Room comes back with the next token of those who were asked; who does not give it back by then is not waited for.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly List<Seat> _seats = [];
    private readonly List<Seat> _asked = [];
    private readonly Dictionary<Replica, List<Seat>> _groups = [];
    private TimeSpan _askedAt;
    private long _version;
    private (Waiter? Waiter, long Version, long Returns) _inVain;

    /// <summary>Whether room is about to come back for an urgent request: until then nobody passes it.</summary>
    public bool AreAsked(TimeSpan now)
    {
        lock (_gate)
        {
            return IsAwaitedLocked(now);
        }
    }

    /// <summary>Notes a request that was just placed; null: it keeps its place whatever comes.</summary>
    /// <param name="waiter">The request.</param>
    /// <param name="reservation">Its room.</param>
    /// <param name="queue">What is preempted at all.</param>
    /// <param name="waited">Since its arrival.</param>
    /// <param name="isFavoured">Whether it has its turn although more urgent ones wait: to take it back would undo their share.</param>
    public Seat? Take(Waiter waiter, LoadReservation reservation, QueueOptions queue, TimeSpan waited, bool isFavoured)
    {
        if (isFavoured || !MayGiveUp(waiter, queue) || waited >= queue.OldestFirstAfter)
        {
            return null;
        }
        var seat = new Seat(this, waiter, reservation);
        if (seat.TimesGivenUp >= MostTimes)
        {
            return null;
        }
        lock (_gate)
        {
            _version++;
            _seats.Add(seat);
        }
        return seat;
    }

    /// <summary>Picks those whose room lets an urgent request in: of the lowest class, the newest, at the replica where the fewest suffice.</summary>
    /// <param name="urgent">The request that finds no room.</param>
    /// <param name="kept">A replica that it may not take; null: none.</param>
    /// <param name="plan">What is in force.</param>
    /// <param name="now">Time since the core started.</param>
    /// <param name="returns">How often room has returned anywhere: who found nobody need not look again before that.</param>
    /// <returns>Those to tell, outside the dispatcher's lock; null: nobody.</returns>
    public Seat[]? Ask(Waiter urgent, Replica? kept, DispatchPlan plan, TimeSpan now, long returns)
    {
        if (plan.Queue.Preempt == PreemptMode.Off || urgent.IsPinned)
        {
            return null;
        }
        lock (_gate)
        {
            if (_seats.Count == 0 || _inVain == (urgent, _version, returns) || IsAwaitedLocked(now))
            {
                return null;
            }
            GroupLocked(urgent, kept, plan.Queue);
            var chosen = ChooseLocked(urgent, plan);
            _groups.Clear();
            if (chosen is null)
            {
                _inVain = (urgent, _version, returns);
                return null;
            }
            foreach (var seat in chosen)
            {
                seat.State = SeatState.Asked;
                _seats.Remove(seat);
                _asked.Add(seat);
            }
            _askedAt = now;
            _version++;
            return chosen;
        }
    }

    public void Attend(Seat seat, Action vacate)
    {
        lock (_gate)
        {
            seat.Vacate = vacate;
            if (seat.State != SeatState.Asked)
            {
                return;
            }
        }
        vacate();
    }

    /// <summary>Tells one that it was asked.</summary>
    public void Tell(Seat seat)
    {
        Action? vacate;
        lock (_gate)
        {
            vacate = seat.State == SeatState.Asked ? seat.Vacate : null;
        }
        vacate?.Invoke();
    }

    public bool TryBegin(Seat seat, bool mayContinue)
    {
        lock (_gate)
        {
            if (seat.State == SeatState.Asked)
            {
                return false;
            }
            _version++;
            // From now on it stops between two events, by itself.
            seat.Vacate = null;
            seat.State = mayContinue ? SeatState.Begun : SeatState.Over;
            if (!mayContinue)
            {
                _seats.Remove(seat);
            }
            return true;
        }
    }

    public void Keep(Seat seat) => Remove(seat);

    public void Remove(Seat seat)
    {
        lock (_gate)
        {
            seat.State = SeatState.Over;
            if (_seats.Remove(seat) || _asked.Remove(seat))
            {
                _version++;
            }
        }
    }

    private bool IsAwaitedLocked(TimeSpan now) => _asked.Count > 0 && now - _askedAt < Patience;

    // Nobody is refused for having had to come back: who is bound to a time, or to a replica, keeps its place, and so does who is silent until its answer is whole.
    private static bool MayGiveUp(Waiter waiter, QueueOptions queue) =>
        waiter.Constraints is { MayGiveUp: true, Pinned: null }
        && waiter.Request is { Priority: not PriorityClass.Interactive, Body.IsStreaming: true, Deadline: null, TotalTimeout: null }
        && queue.HardTtftOf(waiter.Request) is null;

    private static bool IsEligible(Seat seat, QueueOptions queue) => seat.State switch
    {
        SeatState.Waiting => true,
        SeatState.Begun => queue.Preempt == PreemptMode.Continue && seat.GeneratedTokens <= queue.PreemptLimit * seat.ExpectedTokens,
        _ => false,
    };

    // The lowest class first, in it the newest: it loses least.
    private void GroupLocked(Waiter urgent, Replica? kept, QueueOptions queue)
    {
        for (var lower = (int)PriorityClass.Batch; lower > (int)urgent.Request.Priority; lower--)
        {
            for (var i = _seats.Count - 1; i >= 0; i--)
            {
                var seat = _seats[i];
                var replica = seat.Reservation.Replica;
                if (seat.Priority != lower || replica == kept || !IsEligible(seat, queue) || !urgent.Constraints.Allows(replica) || urgent.Constraints.Avoid.Contains(replica))
                {
                    continue;
                }
                if (!_groups.TryGetValue(replica, out var group))
                {
                    if (_groups.Count == MostReplicas)
                    {
                        continue;
                    }
                    _groups[replica] = group = [];
                }
                if (group.Count < MostVictims)
                {
                    group.Add(seat);
                }
            }
        }
    }

    private Seat[]? ChooseLocked(Waiter urgent, DispatchPlan plan)
    {
        for (var count = 1; count <= MostVictims; count++)
        {
            Seat[]? best = null;
            foreach (var (replica, group) in _groups)
            {
                if (group.Count < count || (best is not null && !IsBetter(group[count - 1], best[^1])) || !replica.CouldFit(urgent.Estimate.LeastPromptTokens))
                {
                    continue;
                }
                var victims = group.GetRange(0, count).ToArray();
                if (Placer.RoomWithout(replica, Array.ConvertAll(victims, static seat => seat.Reservation), urgent.Request, urgent.Estimate, plan))
                {
                    best = victims;
                }
            }
            if (best is not null)
            {
                return best;
            }
        }
        return null;
    }

    private static bool IsBetter(Seat one, Seat other) => one.Priority != other.Priority ? one.Priority > other.Priority : one.Sequence > other.Sequence;
}
