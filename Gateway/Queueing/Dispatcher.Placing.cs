namespace Gateway.Queueing;

/// <content>Who goes next, and where.</content>
public sealed partial class Dispatcher
{
    // Each is tried at every replica: more of them would find little more.
    private readonly Waiter[] _behind = new Waiter[4];

    private EndedWait? PlaceNextLocked(DispatchPlan plan)
    {
        LookLocked(plan);
        _siblings.Release();
        return PlaceBesideLocked(plan) ?? PlaceHeadLocked(plan);
    }

    // Those who wait for one replica: they take nobody's turn, and nobody takes theirs.
    private EndedWait? PlaceBesideLocked(DispatchPlan plan)
    {
        foreach (var pinned in _waiting.Pinned)
        {
            if (PlaceLocked(pinned, plan) is { } there)
            {
                return there;
            }
        }
        while (_favourites.Next(plan) is { } first)
        {
            if (PlaceLocked(first, plan) is { } atLast)
            {
                return atLast;
            }
            _favourites.GiveUp(first);
        }
        return _overtaking.Favoured is { } favoured ? PlaceLocked(favoured, plan) : null;
    }

    private EndedWait? PlaceHeadLocked(DispatchPlan plan)
    {
        while (_ranks.Next(plan, Now()) is { } head)
        {
            if (PlaceLocked(head, plan) is { } placed)
            {
                return placed;
            }
            // It chose to stand aside: the next one is the head.
            if (head.IsAside)
            {
                continue;
            }
            if (!_shares.IsWithin(head))
            {
                return PlaceOtherLocked(head, plan);
            }
            return !_seats.AreAsked(Now()) && _overtaking.OnFitsNowhere(head, Now(), plan.Queue.OvertakingLimit) ? PlaceSmallerLocked(head, plan) : null;
        }
        return null;
    }

    // Who is next holds more than its share, and what is free is kept for those who do not: one of them may go, of whatever class.
    private EndedWait? PlaceOtherLocked(Waiter held, DispatchPlan plan) =>
        _shares.OthersWait(held.Request) && _waiting.NextOf(plan.Order, Now(), _shares.IsWithin) is { } other ? PlaceLocked(other, plan) : null;

    private EndedWait? PlaceSmallerLocked(Waiter head, DispatchPlan plan)
    {
        EndedWait? placed = null;
        foreach (var waiter in _behind.AsSpan(0, _waiting.Behind(head, _behind)))
        {
            var mayPass = waiter != head && Overtaking.IsSmaller(waiter, head) && (plan.Order as IFairOrder)?.MayPass(waiter, head) != false;
            if (mayPass && (placed = PlaceLocked(waiter, plan)) is not null)
            {
                head.OvertakenAt ??= Now();
                break;
            }
        }
        // Nobody is kept in memory by having been looked at.
        _behind.AsSpan().Clear();
        return placed;
    }

    private EndedWait? PlaceLocked(Waiter waiter, DispatchPlan plan) => TryPlaceLocked(waiter, plan) is { } placed ? new EndedWait(waiter, placed) : null;

    private AdmissionResult? TryPlaceLocked(Waiter waiter, DispatchPlan plan)
    {
        var terms = TermsLocked(waiter.Request, waiter.Estimate, waiter.Constraints, plan, Now(), waiter);
        if (_placer.TryPlace(waiter.Request, waiter.Estimate, waiter.Constraints, plan, terms) is { } placed)
        {
            var admitted = AdmitLocked(waiter.Request, waiter.Estimate, waiter.ArrivedAt, placed, _time.GetElapsedTime(waiter.EnteredAt), plan, waiter.HasAsked);
            return DecideLocked(waiter, admitted with { Seat = SeatLocked(waiter, placed.Reservation!, plan) });
        }
        waiter.RefusedAt = _placer.RefusedAt;
        waiter.HeldFor = _placer.HeldBackFor is not HoldReason.None and var hold ? hold : waiter.HeldFor;
        if (_placer.Favourite is { } favourite)
        {
            _favourites.Stand(waiter, favourite, PatienceLocked(waiter, plan));
        }
        else if (_placer.Leader is { } leader && !_siblings.TryStand(waiter, leader, _placer.LeaderPatience, Now()))
        {
            return TryPlaceLocked(waiter, plan);
        }
        return null;
    }

    // Who waits by choice must not be refused for it: half of the time that is left is for another place.
    private TimeSpan PatienceLocked(Waiter waiter, DispatchPlan plan)
    {
        var left = Lateness.Expiry(waiter, plan.Queue.MaxWait - _time.GetElapsedTime(waiter.EnteredAt), Now()).Due;
        return TimeSpan.FromSeconds(Math.Min(plan.Routing.FavouriteWait.TotalSeconds, Math.Min(_placer.FavouriteSavesSeconds, left.TotalSeconds / 2)));
    }
}
