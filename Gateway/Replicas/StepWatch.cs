namespace Gateway.Replicas;

/// <summary>Where an engine is in its work, by what is heard of it: whatever comes ends a step, and the next begins then. Guarded by its replica's lock, but for what is heard.</summary>
internal sealed class StepWatch
{
    private long _heardAt;
    private long _prefillingSince;
    private long _backlogSince;
    private long _sentAt;
    private long _joiningTokens;

    /// <summary>Timestamp since which the prompts that do not join are computed; a long one takes many steps. 0: never yet.</summary>
    public long PrefillingSince => Volatile.Read(ref _prefillingSince);

    /// <summary>Prompt tokens sent since the engine was last heard of: the step in progress does not compute them, the next one does.</summary>
    public long JoiningTokens => Volatile.Read(ref _heardAt) >= _sentAt ? 0 : _joiningTokens;

    /// <summary>A part of an answer came, or its end. Any thread.</summary>
    /// <param name="now">The clock's timestamp.</param>
    public void OnHeard(long now)
    {
        Volatile.Write(ref _heardAt, now);
        if (Volatile.Read(ref _prefillingSince) < Volatile.Read(ref _backlogSince))
        {
            Volatile.Write(ref _prefillingSince, now);
        }
    }

    /// <summary>The first part of an answer came: its prompt is computed, the next ones are begun.</summary>
    /// <param name="now">The clock's timestamp.</param>
    public void OnPrefilled(long now)
    {
        Volatile.Write(ref _prefillingSince, now);
        OnHeard(now);
    }

    /// <summary>A prompt was sent.</summary>
    /// <param name="tokens">Of it, those to compute.</param>
    /// <param name="isFirst">Whether no other prompt waits there or is computed.</param>
    /// <param name="isIdle">Whether nothing at all is in flight: then its step begins at once.</param>
    /// <param name="now">The clock's timestamp.</param>
    public void OnSent(long tokens, bool isFirst, bool isIdle, long now)
    {
        _joiningTokens = JoiningTokens + tokens;
        _sentAt = now;
        if (isFirst)
        {
            Volatile.Write(ref _backlogSince, now);
        }
        if (isIdle)
        {
            OnPrefilled(now);
        }
    }
}
