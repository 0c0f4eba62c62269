namespace Gateway.Tests.Fixtures;

/// <summary>What work allocates on this thread.</summary>
internal static class Allocations
{
    private const int Runs = 5;

    /// <summary>Bytes of the leanest of a few runs, after one that does not count. A collection that another test sets off in between may add what was left of this
    /// thread's stretch of the heap: what the work itself allocates, it allocates every time.</summary>
    public static long Least(Action work)
    {
        work();
        var least = long.MaxValue;
        for (var run = 0; run < Runs && least > 0; run++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            work();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least;
    }
}
