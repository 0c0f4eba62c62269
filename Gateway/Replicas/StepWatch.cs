namespace Gateway.Replicas;

/// <summary>When the engine's present step began, as far as can be told: tokens come at the end of a step, so the next one begins when something is heard. Guarded by its replica's lock, but for the time last heard of.</summary>
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
