using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>
/// What requests have lost lately because the replica that was otherwise best for them lacked the next block of their prompt: seconds by block. What was lost long
/// ago fades, since it says little of those to come. Bounded; guarded by its dispatcher's lock.
/// </summary>
internal sealed class ForgoneSavings(TimeProvider time)
{
    private const int MostBlocks = 4096;

    // After so long an e-th is left. A beginning that is asked for once in a while never pays for a copy; one that all ask for does within seconds.
    private const double FadingSeconds = 20;

    private readonly RecentKeys<Loss> _losses = new(MostBlocks);

    /// <summary>Seconds lost for want of a block, and neither paid back nor faded yet.</summary>
    public double Of(ulong block) =>
        _losses.TryGet(block, out var loss) ? loss.Seconds * Math.Exp(-time.GetElapsedTime(loss.At).TotalSeconds / FadingSeconds) : 0;

    /// <summary>One more lost so many seconds for want of it; below zero: so many were spent on a copy.</summary>
    public void Add(ulong block, double seconds) => _losses.Set(block, new Loss(Math.Max(0, Of(block) + seconds), time.GetTimestamp()));

    private readonly record struct Loss(double Seconds, long At);
}
