using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>Least memory over time first: the token-seconds of KV room that a request will hold, its prompt while it is computed and each answer as it grows.</summary>
/// <param name="longestWait">After this wait the oldest goes first: in overload long prompts would starve.</param>
/// <remarks>LAMPS, arXiv 2410.18248, as far as it can be known before an engine has the request.</remarks>
public sealed class MemoryTimeOrder(TimeSpan longestWait) : IQueueOrder, IBoundedOvertaking
{
    // Of a full batch on the engine that ServiceTime was measured on; only its ratio to the prefill matters.
    private const double StepSeconds = 0.0216;

    public string Name => "lamps";

    public TimeSpan LongestWait => longestWait;

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival)
    {
        double prompt = estimate.PromptTokens;
        var answer = estimate.Output.MeanTokens;
        var decoding = StepSeconds * ((answer * prompt) + (estimate.Sequences * answer * answer / 2));
        return decoding + (ServiceTime.PrefillSecondsPerToken * prompt * prompt / 2);
    }
}
