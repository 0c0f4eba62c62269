using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>What requests have lost because the replica that was otherwise best for them lacked the next block of their prompt: seconds by block. Bounded; guarded by its dispatcher's lock.</summary>
internal sealed class ForgoneSavings
{
    private const int MostBlocks = 4096;

    private readonly RecentKeys<double> _seconds = new(MostBlocks);

    /// <summary>Seconds lost for want of a block, and not paid back yet.</summary>
    public double Of(ulong block) => _seconds.TryGet(block, out var seconds) ? seconds : 0;

    /// <summary>One more lost so many seconds for want of it; below zero: so many were spent on a copy.</summary>
    public void Add(ulong block, double seconds) => _seconds.Set(block, Math.Max(0, Of(block) + seconds));
}
