using Gateway.Replicas.Rates;

namespace Gateway.Replicas;

/// <summary>When a replica last showed that it works, and how long it may be silent before it counts as hung. The time may be written by any thread; the rest is guarded by its replica's lock.</summary>
/// <remarks>Busy is not dead: any token of any answer and any step that the engine counts is a sign, and what the engine has to compute unheard lengthens the patience.</remarks>
internal sealed class LifeSigns(TimeProvider time)
{
    // Shorter silences are ordinary: garbage collection, the network, a busy scheduler.
    private static readonly TimeSpan LeastPatience = TimeSpan.FromSeconds(10);

    // Used while the speed is only a guess: a CPU may need a hundred times as long for a step as a GPU.
    private static readonly TimeSpan LeastPatienceByGuess = TimeSpan.FromSeconds(60);

    // All but a few of a thousand answers take less than this many times the prediction.
    private const double Doubt = 8;

    private long _lastAt = time.GetTimestamp();
    private long? _progress;
    private long _countedAt;

    /// <summary>A part of an answer came, or a whole one.</summary>
    /// <param name="now">The clock's timestamp.</param>
    public void Note(long now) => Volatile.Write(ref _lastAt, now);

    /// <summary>Whether there was one after a moment.</summary>
    /// <param name="moment">The clock's timestamp.</param>
    public bool HasShownSince(long moment) => Volatile.Read(ref _lastAt) > moment;

    /// <summary>The engine told how far it is.</summary>
    /// <param name="progress">Its counter; null: it has none.</param>
    /// <param name="readAt">When that was read.</param>
    public void Observe(long? progress, long readAt)
    {
        if (progress is not null && progress != _progress)
        {
            Note(time.GetTimestamp());
        }
        (_progress, _countedAt) = (progress, readAt);
    }

    /// <summary>Whether an answer that has waited so long waits in vain; false where nothing is known to judge by.</summary>
    /// <param name="waited">Since its last part, or since it was sent.</param>
    /// <param name="rates">How fast the replica is.</param>
    /// <param name="countsSteps">Whether the engine counts each step, so that its silence is telling before its speed is learned.</param>
    /// <param name="queuedPrefillTokens">Prompt tokens that it still has to compute.</param>
    /// <param name="sequences">Answers in its steps.</param>
    public bool IsHung(TimeSpan waited, ServiceRates rates, bool countsSteps, long queuedPrefillTokens, int sequences)
    {
        if (waited < LeastPatience || !(rates.IsPrefillLearned || countsSteps))
        {
            return false;
        }
        var expected = rates.TimeToFirstToken(queuedPrefillTokens, 0) + rates.StepSeconds(sequences) + rates.StepDelaySeconds;
        var least = rates.IsPrefillLearned ? LeastPatience : LeastPatienceByGuess;
        var patience = least + TimeSpan.FromSeconds(Math.Min(Doubt * expected, TimeSpan.FromDays(1).TotalSeconds));
        var silence = time.GetElapsedTime(Volatile.Read(ref _lastAt));
        // The step counter proves a standstill only where readings at both ends of the silence are the same.
        var unread = countsSteps ? time.GetElapsedTime(_countedAt) : TimeSpan.Zero;
        return (waited < silence ? waited : silence) - unread >= patience;
    }
}
