using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>Promotion as a rescue for any order: with every full span that a request has waited it goes before all that waited fewer, by the order's own choice.
/// So nobody is passed by one that came more than a span later, whatever the order.</summary>
/// <param name="within">The order.</param>
/// <param name="span">How long one waits for a promotion, and how long it lasts until the next.</param>
/// <remarks>After Learning to Rank (arXiv 2408.15792), which promotes once and by scheduler steps; there a request that is promoted can be overtaken by others that are.</remarks>
public sealed class PromotingOrder(IQueueOrder within, TimeSpan span) : IQueueOrder, IQueueSelector, IServiceAccount
{
    private Waiter[] _promoted = new Waiter[16];

    public string Name => within.Name;

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => within.Rank(request, estimate, arrival);

    public int Select(ReadOnlySpan<Waiter> waiting, TimeSpan now)
    {
        var most = 0L;
        foreach (var waiter in waiting)
        {
            most = Math.Max(most, Promotions(waiter, now));
        }
        return most == 0 ? Selecting.Of(within, waiting, now) : Selecting.Among(waiting, waiter => Promotions(waiter, now) == most, within, now, ref _promoted);
    }

    public void OnEntered(InferenceRequest request, bool isFirst) => (within as IServiceAccount)?.OnEntered(request, isFirst);

    public ServedTokens OnTurn(InferenceRequest request, in RequestEstimate estimate, int cachedTokens, TimeSpan waited) =>
        (within as IServiceAccount)?.OnTurn(request, estimate, cachedTokens, waited) ?? default;

    public void Charge(InferenceRequest request, in ServedTokens difference) => (within as IServiceAccount)?.Charge(request, difference);

    private long Promotions(Waiter waiter, TimeSpan now) => (now - waiter.ArrivedAt).Ticks / span.Ticks;
}
