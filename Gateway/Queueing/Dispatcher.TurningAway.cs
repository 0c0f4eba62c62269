namespace Gateway.Queueing;

/// <content>Those who can have no turn any more, because the fleet has changed since they came.</content>
public sealed partial class Dispatcher
{
    // To wait on would end in the wrong words: who comes now is told at once. As of the last look; null: nobody is lost.
    private List<(Waiter Waiter, AdmissionResult Result)>? TurnAwayLocked()
    {
        if (_placer.Fleet == _fleet)
        {
            return null;
        }
        _fleet = _placer.Fleet;
        List<(Waiter, AdmissionResult)>? turnedAway = null;
        foreach (var waiter in (Waiter[])[.. _waiting.All(), .. _favourites.All(), .. _siblings.All()])
        {
            if (LostLocked(waiter) is { } outcome)
            {
                _waiting.Remove(waiter);
                (turnedAway ??= []).Add((waiter, RefuseLocked(waiter, outcome)));
            }
        }
        NoteCountLocked();
        return turnedAway;
    }

    // A fleet in which nothing works, or that is empty, may be back within the wait.
    private AdmissionOutcome? LostLocked(Waiter waiter) =>
        _placer.HasLeft(waiter.Constraints) ? AdmissionOutcome.RejectedHolderGone
        : _placer.AnyMayWork(waiter.Constraints) && !_placer.AnyCouldFit(waiter.Estimate, waiter.Constraints) ? AdmissionOutcome.RejectedTooLarge
        : null;
}
