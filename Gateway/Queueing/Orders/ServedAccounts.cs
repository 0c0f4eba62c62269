using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>How much each client, and each flow of one, was served so far, in tokens per unit of the client's weight. Guarded by the dispatcher's lock.</summary>
/// <remarks>arXiv 2401.00588: a prompt token counts 1, an output token 2. Only what had to be computed of the prompt counts; the expected answer is charged at the
/// turn, what streams beyond it as it comes, and at the end it is settled.</remarks>
internal sealed class ServedAccounts
{
    private const double PromptWeight = 1;
    private const double OutputWeight = 2;

    // Requests without an API key are one client's together. Its key stands apart from 0, under which nothing is counted.
    private const ulong Strangers = 0x9e37_79b9_7f4a_7c15;

    private readonly ServiceCounters _clients = new();

    // Flows by their own keys; under a client's key, the counter at the last turn of any of its flows.
    private readonly ServiceCounters _flows = new();

    /// <summary>What a client was served per unit of weight.</summary>
    public double OfClient(InferenceRequest request) => _clients.Of(ClientOf(request));

    /// <summary>What the client that was served most was.</summary>
    public double Most => _clients.Most;

    /// <summary>What the request's flow was served.</summary>
    public double OfFlow(InferenceRequest request) => _flows.Of(FlowOf(request));

    /// <summary>Lifts who was served less than <paramref name="least"/>, so that idling saves nothing up.</summary>
    public void Lift(InferenceRequest request, double least)
    {
        _clients.Lift(ClientOf(request), least);
        _flows.Lift(FlowOf(request), _flows.Of(ClientOf(request)));
    }

    /// <summary>Charges a turn in advance.</summary>
    public ServedTokens OnTurn(InferenceRequest request, in RequestEstimate estimate, int cachedTokens)
    {
        _flows.Lift(ClientOf(request), OfFlow(request));
        var expected = new ServedTokens(Math.Max(0, estimate.PromptTokens - cachedTokens), estimate.OutputTokens);
        Charge(request, expected);
        return expected;
    }

    public void Charge(InferenceRequest request, in ServedTokens difference)
    {
        var tokens = (PromptWeight * difference.UncachedPromptTokens) + (OutputWeight * difference.OutputTokens);
        _clients.Charge(ClientOf(request), tokens / request.TenantWeight);
        _flows.Charge(FlowOf(request), tokens);
    }

    private static ulong ClientOf(InferenceRequest request) => request.TenantKey != 0 ? request.TenantKey : Strangers;

    // What names no flow is one of its own.
    private static ulong FlowOf(InferenceRequest request) => request.FlowKey != 0 ? request.FlowKey : ~ClientOf(request);
}
