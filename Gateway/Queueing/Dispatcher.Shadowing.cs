using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <content>The queue as a second policy would have it.</content>
public sealed partial class Dispatcher
{
    /// <summary>Waiting requests that would go before one that comes now, by the second policy's order; null: there is none.</summary>
    public int? AheadByShadow(InferenceRequest request, in RequestEstimate estimate)
    {
        lock (_gate)
        {
            return _plan().ShadowOrder is { } order ? _waiting.CountAheadBy(order, request, order.Rank(request, estimate, Now())) : null;
        }
    }
}
