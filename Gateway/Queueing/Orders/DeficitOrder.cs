using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>How much of a prompt some replica of the pool is believed to hold.</summary>
public interface IPrefixSight
{
    /// <summary>Prompt tokens held by the replica that holds most of them; 0: none holds any.</summary>
    int LongestHit(InferenceRequest request, int promptTokens);
}

/// <summary>DLPM: of the clients that are within their share, the request whose prompt is cached furthest goes first. A round gives each client a quantum of tokens
/// by its weight; the next round begins when everybody who waits has used up theirs.</summary>
/// <param name="within">Who goes first of requests that are cached equally far.</param>
/// <param name="quantumTokens">Tokens of a round per unit of weight: more keeps prefixes together for longer, less is fairer.</param>
/// <param name="prefixes">What is cached.</param>
/// <param name="longestWait">After this wait a client's oldest request goes before its others.</param>
/// <remarks>
/// arXiv 2501.14312. Its credit is kept as what was served per unit of weight against the end of the round, which is the same with one number for all: clients
/// whose count is below it are served. Between two clients that wait all the time the difference stays below two quanta and the largest charge of one turn.
/// </remarks>
public sealed class DeficitOrder(IQueueOrder within, double quantumTokens, IPrefixSight prefixes, TimeSpan longestWait) : IQueueOrder, IQueueSelector, IServiceAccount, IFairOrder
{
    // A look at the cache costs a walk along the prompt: beyond these, those who came later are not compared.
    private const int MostCompared = 64;

    private readonly ServedAccounts _served = new();
    private Waiter[] _eligible = new Waiter[16];
    private Waiter[] _furthest = new Waiter[16];
    private double _roundBegin;

    public string Name => "dlpm";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => within.Rank(request, estimate, arrival);

    public int Select(ReadOnlySpan<Waiter> waiting, TimeSpan now)
    {
        BeginRound(waiting);
        if (Starving(waiting, now) is { } starving)
        {
            return starving;
        }
        var (furthest, length) = (0, -1);
        foreach (var waiter in Selecting.FirstCome(waiting, IsWithinShare, MostCompared, ref _eligible))
        {
            var hit = prefixes.LongestHit(waiter.Request, waiter.Estimate.PromptTokens);
            furthest = hit > length ? 0 : furthest;
            length = Math.Max(hit, length);
            if (hit == length)
            {
                Selecting.Put(ref _furthest, furthest++, waiter);
            }
        }
        var next = _furthest[Selecting.Of(within, _furthest.AsSpan(0, furthest), now)];
        return waiting.IndexOf(next);
    }

    // Who was away has the round before and this one, and no more; what is given back to one that waits is not lost.
    public void OnEntered(InferenceRequest request, bool isFirst)
    {
        _served.Lift(request, _roundBegin - quantumTokens);
        (within as IServiceAccount)?.OnEntered(request, isFirst);
    }

    public ServedTokens OnTurn(InferenceRequest request, in RequestEstimate estimate, int cachedTokens, TimeSpan waited)
    {
        _served.Lift(request, _roundBegin - quantumTokens);
        (within as IServiceAccount)?.OnTurn(request, estimate, cachedTokens, waited);
        return _served.OnTurn(request, estimate, cachedTokens);
    }

    public bool MayPass(Waiter passing, Waiter passed) => IsWithinShare(passing);

    public void Charge(InferenceRequest request, in ServedTokens difference) => _served.Charge(request, difference);

    private bool IsWithinShare(Waiter waiter) => _served.OfClient(waiter.Request) < _roundBegin + quantumTokens;

    private void BeginRound(ReadOnlySpan<Waiter> waiting)
    {
        var least = double.PositiveInfinity;
        foreach (var waiter in waiting)
        {
            least = Math.Min(least, _served.OfClient(waiter.Request));
        }
        // As many rounds at once as it takes until somebody has tokens left.
        _roundBegin += quantumTokens * Math.Max(0, Math.Floor((least - _roundBegin) / quantumTokens));
    }

    // Without it a prompt that nobody shares could wait for ever behind one that everybody does.
    private int? Starving(ReadOnlySpan<Waiter> waiting, TimeSpan now)
    {
        int? oldest = null;
        for (var i = 0; i < waiting.Length; i++)
        {
            if (now - waiting[i].ArrivedAt > longestWait && IsWithinShare(waiting[i]) && (oldest is not { } found || waiting[i].ArrivedAt < waiting[found].ArrivedAt))
            {
                oldest = i;
            }
        }
        return oldest;
    }
}
