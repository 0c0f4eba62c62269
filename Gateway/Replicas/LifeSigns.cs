using Gateway.Replicas.Rates;

namespace Gateway.Replicas;

/// <summary>When a replica last showed that it works, and how long silence is no wonder. Its time may be written by any thread; the rest is guarded by its replica's lock.</summary>
/// <remarks>Busy is not dead: any token of any answer and any step that the engine counts is a sign, and what the engine has to compute unheard lengthens the patience.</remarks>
internal sealed class LifeSigns(TimeProvider time)
{
    // Pauses of a collector, a network or a scheduler are shorter.
    private static readonly TimeSpan LeastPatience = TimeSpan.FromSeconds(10);

    // As long as the speed is a guess: a step of a CPU may take longer than one of a GPU by a hundred times.
    private static readonly TimeSpan LeastPatienceByGuess = TimeSpan.FromSeconds(60);

    // Predictions are off by less than this in all but a few of a thousand answers.
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
        // A counter that nobody read says nothing: it has to stand still from the first reading to the last.
        var unread = countsSteps ? time.GetElapsedTime(_countedAt) : TimeSpan.Zero;
        return (waited < silence ? waited : silence) - unread >= patience;
    }
}
