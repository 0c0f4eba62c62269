using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>Least memory over time first: for how long a request's share of the KV room would fill all of it, its prompt while it is computed and each answer as it grows.</summary>
/// <param name="longestWait">After this wait the oldest goes first: in overload long prompts would starve.</param>
/// <remarks>LAMPS, arXiv 2410.18248, as far as it can be known before an engine has the request.</remarks>
public sealed class MemoryTimeOrder(TimeSpan longestWait) : IQueueOrder, IBoundedOvertaking
{
    // Of the engine that ServiceTime was measured on, at a full batch. The room makes seconds of token-seconds: beside those of other classes they mean something where
    // the key is sent to an engine.
    private const double StepSeconds = 0.0216;
    private const double RoomTokens = 41_408;

    public string Name => "lamps";

    public TimeSpan LongestWait => longestWait;

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival)
    {
        double prompt = estimate.PromptTokens;
        var answer = estimate.Output.MeanTokens;
        var decoding = StepSeconds * ((answer * prompt) + (estimate.Sequences * answer * answer / 2));
        return (decoding + (ServiceTime.PrefillSecondsPerToken * prompt * prompt / 2)) / RoomTokens;
    }
}
