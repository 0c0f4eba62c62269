using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Requests;

namespace Gateway.Tests.Fakes;

/// <summary>First come, first served, and what each client was charged in all.</summary>
internal sealed class RecordedCharges : IQueueOrder, IServiceAccount
{
    public Dictionary<ulong, ServedTokens> Of { get; } = [];

    public string Name => "recorded";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => arrival.TotalSeconds;

    public void OnEntered(InferenceRequest request, bool isFirst)
    {
    }

    public ServedTokens OnTurn(InferenceRequest request, in RequestEstimate estimate, int cachedTokens, TimeSpan waited)
    {
        var expected = new ServedTokens(estimate.PromptTokens - cachedTokens, estimate.OutputTokens);
        Charge(request, expected);
        return expected;
    }

    public void Charge(InferenceRequest request, in ServedTokens difference)
    {
        var before = Of.GetValueOrDefault(request.TenantKey);
        Of[request.TenantKey] = new ServedTokens(before.UncachedPromptTokens + difference.UncachedPromptTokens, before.OutputTokens + difference.OutputTokens);
    }
}
