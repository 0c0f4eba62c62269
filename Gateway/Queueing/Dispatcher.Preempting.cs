using Gateway.Replicas;

namespace Gateway.Queueing;

/// <content>Places that requests may have to give up.</content>
public sealed partial class Dispatcher
{
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
