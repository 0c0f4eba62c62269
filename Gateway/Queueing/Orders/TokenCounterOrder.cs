using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>VTC: the client that was served least per unit of weight goes first, and of its flows the one that was; among that one's requests another order decides.
/// Who comes back is lifted to the least of those who wait.</summary>
/// <param name="within">Who goes first of one client's requests.</param>
/// <param name="burstTokens">Tokens per unit of weight that a client which asks for little may be served before it shares with the others again.</param>
/// <remarks>arXiv 2401.00588, where that is 0.</remarks>
public sealed class TokenCounterOrder(IQueueOrder within, double burstTokens = 0) : IQueueOrder, IQueueSelector, IServiceAccount, IFairOrder
{
    private readonly ServedAccounts _served = new();
    private Waiter[] _own = new Waiter[16];
    private double _leastServed;

    public string Name => "vtc";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => within.Rank(request, estimate, arrival);

    public int Select(ReadOnlySpan<Waiter> waiting, TimeSpan now)
    {
        var first = waiting[Selecting.Least(waiting, waiter => _served.OfClient(waiter.Request))].Request;
        _leastServed = Math.Max(_leastServed, _served.OfClient(first));
        var client = first.TenantKey;
        var flow = waiting[Selecting.Least(waiting, waiter => waiter.Request.TenantKey == client ? _served.OfFlow(waiter.Request) : double.PositiveInfinity)].Request.FlowKey;
        return Selecting.Among(waiting, waiter => waiter.Request.TenantKey == client && waiter.Request.FlowKey == flow, within, now, ref _own);
    }

    // Who comes back is lifted to the least of those who wait. While nobody waited there was enough for all, and who took more of it than others must not pay for
    // that now: all start equal, as with start-time fair queueing after an idle time.
    public void OnEntered(InferenceRequest request, bool isFirst)
    {
        _leastServed = isFirst ? _served.Most : _leastServed;
        _served.Lift(request, _leastServed - burstTokens);
        (within as IServiceAccount)?.OnEntered(request, isFirst);
    }

    public ServedTokens OnTurn(InferenceRequest request, in RequestEstimate estimate, int cachedTokens, TimeSpan waited)
    {
        _served.Lift(request, _leastServed - burstTokens);
        (within as IServiceAccount)?.OnTurn(request, estimate, cachedTokens, waited);
        return _served.OnTurn(request, estimate, cachedTokens);
    }

    public bool MayPass(Waiter passing, Waiter passed) => _served.OfClient(passing.Request) <= _served.OfClient(passed.Request);

    public void Charge(InferenceRequest request, in ServedTokens difference) => _served.Charge(request, difference);
}
