namespace Gateway.Replicas;

/// <summary>Where an engine is in its work, by what is heard of it: whatever comes ends a step, and the next begins then. Guarded by its replica's lock, but for what is heard.</summary>
internal sealed class StepWatch
{
    private long _beganAt;
    private long _sentAt;
    private long _joiningTokens;

    /// <summary>Timestamp since which the step in progress goes on; 0: nothing was ever sent.</summary>
    public long BeganAt => Volatile.Read(ref _beganAt);

    /// <summary>Prompt tokens sent since: the step in progress does not compute them, the next one does.</summary>
    public long JoiningTokens => BeganAt >= _sentAt ? 0 : _joiningTokens;

    /// <summary>A part of an answer came, or its end. Any thread.</summary>
    /// <param name="now">The clock's timestamp.</param>
    public void OnHeard(long now) => Volatile.Write(ref _beganAt, now);

    /// <summary>A prompt was sent.</summary>
    /// <param name="tokens">Of it, those to compute.</param>
    /// <param name="isIdle">Whether nothing else is in flight: then its step begins at once.</param>
    /// <param name="now">The clock's timestamp.</param>
    public void OnSent(long tokens, bool isIdle, long now)
    {
        _joiningTokens = JoiningTokens + tokens;
        _sentAt = now;
        if (isIdle)
        {
            OnHeard(now);
        }
    }
}
