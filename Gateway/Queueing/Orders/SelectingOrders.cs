using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>LARRY: the wait counts for a request, its memory against it, the more the longer the queue. No predictor: the memory is the prompt's.</summary>
/// <remarks>"Is the GPU Half-Empty or Half-Full?" (arXiv 2410.17840). Constants are not published; a thousandth of a second per token and queued request did well in our runs.</remarks>
public sealed class LarryOrder : IQueueOrder, IQueueSelector
{
    private const double SecondsPerTokenAndRequest = 1e-3;

    public string Name => "larry";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => arrival.TotalSeconds;

    public int Select(ReadOnlySpan<Waiter> waiting, TimeSpan now)
    {
        var costPerToken = waiting.Length * SecondsPerTokenAndRequest;
        return Selecting.Least(waiting, waiter => waiter.ArrivedAt.TotalSeconds + (costPerToken * waiter.Estimate.PromptTokens));
    }
}

/// <summary>SSJF: the shortest predicted job first, until the oldest has waited 100 s or ten times its own estimate; then the longest wait first.</summary>
/// <remarks>arXiv 2404.08509, with the constants of its repository: an estimate is 0.1 s plus 0.02 s per predicted token.</remarks>
public sealed class SsjfOrder : IQueueOrder, IQueueSelector
{
    private const double BaseSeconds = 0.1;
    private const double SecondsPerToken = 0.02;
    private const double LongestWaitSeconds = 100;
    private const double LongestWaitPerEstimate = 10;

    public string Name => "ssjf";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => SecondsOf(estimate);

    public int Select(ReadOnlySpan<Waiter> waiting, TimeSpan now)
    {
        var oldest = Selecting.Least(waiting, static waiter => waiter.ArrivedAt.TotalSeconds);
        var waited = (now - waiting[oldest].ArrivedAt).TotalSeconds;
        var isStarving = waited > LongestWaitSeconds || waited > LongestWaitPerEstimate * SecondsOf(waiting[oldest].Estimate);
        return isStarving ? oldest : Selecting.Least(waiting, static waiter => waiter.Rank);
    }

    private static double SecondsOf(in RequestEstimate estimate) => BaseSeconds + (SecondsPerToken * estimate.OutputTokens);
}

/// <summary>Learning-to-rank's order: shortest predicted answer first, but who was passed over for five seconds is promoted before all that were not.</summary>
/// <remarks>arXiv 2408.15792: 200 idle steps of about 25 ms; its running requests can be preempted, a gateway's waiting ones only wait.</remarks>
public sealed class PromotedShortestOrder : IQueueOrder, IQueueSelector
{
    private const double PromotionSeconds = 5;

    public string Name => "ltr";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => estimate.OutputTokens;

    public int Select(ReadOnlySpan<Waiter> waiting, TimeSpan now)
    {
        var promotedBefore = now.TotalSeconds - PromotionSeconds;
        // Promoted ones keep their order among themselves, below every rank of the others.
        return Selecting.Least(waiting, waiter => waiter.ArrivedAt.TotalSeconds <= promotedBefore ? waiter.Rank - 1e9 : waiter.Rank);
    }
}
