namespace Gateway.Queueing;

/// <summary>How the wait of one request ended, until it is told: made under the dispatcher's lock, told outside.</summary>
internal readonly record struct EndedWait(Waiter Waiter, AdmissionResult Result)
{
    public void Tell() => Waiter.Decided(Result);
}
