using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <content>What requests are charged, and places that they give up.</content>
public sealed partial class Dispatcher
{
    /// <summary>More is known of what a request that had its turn here was served: orders that keep account charge the difference.</summary>
    /// <param name="request">The request.</param>
    /// <param name="charged">What it has been charged so far.</param>
    /// <param name="served">What it was served; nothing where the turn was in vain.</param>
    public void Settle(InferenceRequest request, in ServedTokens charged, in ServedTokens served)
    {
        if (charged == served || _plan().Order is not IServiceAccount account)
        {
            return;
        }
        lock (_gate)
        {
            account.Charge(request, served - charged);
        }
    }

    // Who is next holds more than its share, and what is free is kept for those who do not: one of them may go, of whatever class.
    private Waiter? PlaceOtherLocked(Waiter held, DispatchPlan plan, out AdmissionResult result)
    {
        result = default;
        if (_shares.OthersWait(held.Request) && _waiting.NextOf(plan.Order, Now(), _shares.IsWithin) is { } other && TryPlaceLocked(other, plan) is { } placed)
        {
            result = placed;
            return other;
        }
        return null;
    }

    // Nobody who waits fits: the most urgent of them may take somebody's place.
    private Seat[]? PreemptLocked(DispatchPlan plan) =>
        plan.Queue.Preempt != PreemptMode.Off && !_isClosed && _waiting.MostUrgent(plan.Order, Now()) is { } urgent && _shares.IsWithin(urgent)
            ? _seats.Ask(urgent, _overtaking.KeptFrom(urgent), plan, Now(), Volatile.Read(ref _returns))
            : null;

    private Seat? SeatLocked(Waiter waiter, LoadReservation reservation, DispatchPlan plan)
    {
        if (plan.Queue.Preempt == PreemptMode.Off)
        {
            return null;
        }
        _waiting.Number(waiter);
        return _seats.Take(waiter, reservation, plan.Queue, Now() - waiter.ArrivedAt, isFavoured: _waiting.HasMoreUrgent(waiter));
    }
}
