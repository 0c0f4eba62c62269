using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>First come, first served.</summary>
public sealed class FcfsOrder : IQueueOrder
{
    public string Name => "fcfs";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => arrival.TotalSeconds;
}

/// <summary>Shortest job first: the least expected engine time goes first. Long requests starve in overload; the replay report shows how much.</summary>
public sealed class ShortestFirstOrder : IQueueOrder
{
    public string Name => "sjf";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => ServiceTime.Seconds(estimate);
}

/// <summary>Weighted shortest processing time: expected engine time per unit of weight; the weight is 1 for level 0 and grows with the priority level.</summary>
/// <remarks>Smith's rule (W. E. Smith, 1956).</remarks>
public sealed class WeightedShortestOrder : IQueueOrder
{
    public string Name => "wspt";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) =>
        ServiceTime.Seconds(estimate) / (1 + Math.Max(0, request.PriorityLevel));
}

/// <summary>Earliest deadline first: arrival plus the time to first token that the request asks for, or its class usually gets.</summary>
public sealed class DeadlineOrder : IQueueOrder
{
    public string Name => "edf";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) =>
        arrival.TotalSeconds + (request.TimeToFirstTokenSlo ?? request.Deadline ?? UsualOf(request.Priority)).TotalSeconds;

    private static TimeSpan UsualOf(PriorityClass priority) => priority switch
    {
        PriorityClass.Interactive => TimeSpan.FromSeconds(1),
        PriorityClass.Batch => TimeSpan.FromSeconds(30),
        _ => TimeSpan.FromSeconds(5),
    };
}

/// <summary>γ-boost: arrival less a boost that is larger the shorter the request is expected to be. Ageing is built in, the key is constant.</summary>
/// <param name="gammaPerSecond">γ, above 0: small acts like shortest first, large like first come.</param>
/// <remarks>arXiv 2404.08826: boost = (1/γ)·ln(m/(m−1)) with m = E[exp(γS)] over the distribution of the service time S.</remarks>
public sealed class BoostOrder(double gammaPerSecond) : IQueueOrder
{
    // Beyond e^50 the boost is 0 to the last digit.
    private const double MostExponent = 50;

    public string Name => "boost";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) =>
        arrival.TotalSeconds - BoostSeconds(estimate);

    internal double BoostSeconds(in RequestEstimate estimate)
    {
        var prefill = Math.Min(MostExponent, gammaPerSecond * estimate.PromptTokens * ServiceTime.PrefillSecondsPerToken);
        var perToken = gammaPerSecond * ServiceTime.DecodeSecondsPerToken * estimate.Sequences;
        var moment = Math.Exp(prefill) * estimate.Output.ExpectedExponential(perToken, MostExponent);
        // A request of no length at all has an endless boost; a millionth above 1 keeps it finite.
        moment = Math.Max(1 + 1e-6, moment);
        return Math.Log(moment / (moment - 1)) / gammaPerSecond;
    }
}
