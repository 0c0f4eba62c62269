namespace Gateway.Replicas;

/// <summary>Corrects the share of an engine's room that is given out by the preemptions it counts: none for long while requests were held for room, a little
/// more; too many, less. Guarded by its replica's lock.</summary>
/// <remarks>A few preemptions are not worth avoiding: with long answers an engine that preempts each sequence now and then is faster than one kept emptier.</remarks>
internal sealed class ShareSteering
{
    /// <summary>Most that is added: beyond it the engine's own blocks and roundings are missing.</summary>
    public const double MostUp = 0.02;

    /// <summary>Most that is taken away.</summary>
    public const double MostDown = 0.1;

    private const double StepUp = 0.005;
    private const double StepDown = 0.01;

    // Preemptions per running sequence within a period above which the share is lowered.
    private const int TooMany = 1;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(60);

    private long? _counter;
    private long _preempted;
    private int _mostSequences;
    private bool _wasBinding;
    private long? _since;

    /// <summary>To be added to the configured share.</summary>
    public double Correction { get; private set; }

    /// <param name="preemptions">The engine's counter; null: it has none.</param>
    /// <param name="sequences">Answers that are in flight there.</param>
    /// <param name="isBinding">Whether somebody was held for want of room since the last report.</param>
    /// <param name="now">A timestamp of the clock.</param>
    /// <param name="time">The clock.</param>
    public void Observe(long? preemptions, int sequences, bool isBinding, long now, TimeProvider time)
    {
        if (preemptions is not { } counter)
        {
            return;
        }
        _since ??= now;
        // A counter that fell means that the engine was restarted.
        _preempted += Math.Max(0, counter - (_counter ?? counter));
        _counter = counter;
        _mostSequences = Math.Max(_mostSequences, sequences);
        _wasBinding |= isBinding;
        if (time.GetElapsedTime(_since.Value, now) < Period)
        {
            return;
        }
        var step = _preempted > TooMany * _mostSequences ? -StepDown : _preempted == 0 && _wasBinding ? StepUp : 0;
        Correction = Math.Clamp(Correction + step, -MostDown, MostUp);
        (_since, _preempted, _mostSequences, _wasBinding) = (now, 0, 0, false);
    }
}
