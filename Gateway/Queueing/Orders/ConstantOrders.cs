using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>First come, first served.</summary>
public sealed class FcfsOrder : IQueueOrder
{
    public string Name => "fcfs";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => arrival.TotalSeconds;
}

/// <summary>Shortest job first: the least expected engine time goes first.</summary>
/// <param name="longestWait">After this wait the oldest goes first: in overload long requests would starve.</param>
public sealed class ShortestFirstOrder(TimeSpan longestWait) : IQueueOrder, IBoundedOvertaking
{
    public string Name => "sjf";

    public TimeSpan LongestWait => longestWait;

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => ServiceTime.Seconds(estimate);
}

/// <summary>Weighted shortest processing time: expected engine time per unit of weight; the weight is 1 for level 0 and grows with the priority level.</summary>
/// <param name="longestWait">After this wait the oldest goes first.</param>
/// <remarks>Smith's rule (W. E. Smith, 1956).</remarks>
public sealed class WeightedShortestOrder(TimeSpan longestWait) : IQueueOrder, IBoundedOvertaking
{
    public string Name => "wspt";

    public TimeSpan LongestWait => longestWait;

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) =>
        ServiceTime.Seconds(estimate) / (1 + Math.Max(0, request.PriorityLevel));
}

/// <summary>Earliest deadline first: the latest moment at which the answer must begin, by the wanted time to first token, by the deadline less the answer's own
/// time, or by what its class usually gets.</summary>
/// <param name="classes">When first tokens are wanted where requests do not say so.</param>
public sealed class DeadlineOrder(ClassesOptions classes) : IQueueOrder
{
    public string Name => "edf";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival)
    {
        var first = classes.TtftTargetOf(request)?.TotalSeconds ?? double.PositiveInfinity;
        // What is cached now may be thrown out before its turn: no deadline is risked for it.
        var whole = request.Deadline?.TotalSeconds - ServiceTime.Seconds(estimate with { CachedTokens = 0 }) ?? double.PositiveInfinity;
        var due = Math.Min(first, whole);
        return arrival.TotalSeconds + (double.IsInfinity(due) ? UsualSecondsOf(request.Priority) : due);
    }

    private static double UsualSecondsOf(PriorityClass priority) => priority switch
    {
        PriorityClass.Interactive => 1,
        PriorityClass.Batch => 30,
        _ => 5,
    };
}
