using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>VTC: the client that was served least goes first, counted in tokens. Who comes back is lifted to the least of those who wait, so that idling saves nothing up.</summary>
/// <remarks>arXiv 2401.00588: a prompt token counts 1, an output token 2; with a predictor the expected output is charged at the turn and settled at the end.</remarks>
public sealed class TokenCounterOrder : IQueueOrder, IQueueSelector, IServiceAccount
{
    private const double PromptWeight = 1;
    private const double OutputWeight = 2;

    private readonly ServiceCounters _clients = new();
    private double _lastServed;

    public string Name => "vtc";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => arrival.TotalSeconds;

    public int Select(ReadOnlySpan<Waiter> waiting, TimeSpan now) => Selecting.Least(waiting, waiter => _clients.Of(waiter.Request.TenantKey));

    // Turns go to the least served of those who wait, so the counter at the last turn is the least of the queue, and with an empty queue what the paper takes.
    public void OnEntered(InferenceRequest request) => _clients.Lift(request.TenantKey, _lastServed);

    public void OnTurn(InferenceRequest request, in RequestEstimate estimate, TimeSpan waited)
    {
        _clients.Lift(request.TenantKey, _lastServed);
        _lastServed = _clients.Of(request.TenantKey);
        _clients.Charge(request.TenantKey, (PromptWeight * estimate.PromptTokens) + (OutputWeight * estimate.OutputTokens));
    }

    public void OnCompleted(InferenceRequest request, in RequestEstimate estimate, int outputTokens) =>
        _clients.Charge(request.TenantKey, OutputWeight * (outputTokens - estimate.OutputTokens));
}

/// <summary>Feedback queues over the turns of a session: the session that was served least so far goes first, in levels that double.</summary>
/// <param name="longestWait">After this wait the oldest goes first.</param>
/// <remarks>FastServe (arXiv 2305.05920) carried to a gateway: no slices within an answer, but a turn joins at the level that its prompt's known cost asks for.</remarks>
public sealed class AttainedServiceOrder(TimeSpan longestWait) : IQueueOrder, IQueueSelector, IServiceAccount, IBoundedOvertaking
{
    // FastServe's base quantum.
    private const double BaseSeconds = 0.01;

    private readonly ServiceCounters _sessions = new();

    public string Name => "mlfq";

    public TimeSpan LongestWait => longestWait;

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => arrival.TotalSeconds;

    public int Select(ReadOnlySpan<Waiter> waiting, TimeSpan now) => Selecting.Least(waiting, LevelOf);

    public void OnEntered(InferenceRequest request)
    {
    }

    public void OnTurn(InferenceRequest request, in RequestEstimate estimate, TimeSpan waited) =>
        _sessions.Charge(KeyOf(request), estimate.PromptTokens * ServiceTime.PrefillSecondsPerToken);

    public void OnCompleted(InferenceRequest request, in RequestEstimate estimate, int outputTokens) =>
        _sessions.Charge(KeyOf(request), outputTokens * ServiceTime.DecodeSecondsPerToken);

    private double LevelOf(Waiter waiter)
    {
        var served = _sessions.Of(KeyOf(waiter.Request));
        var known = waiter.Estimate.PromptTokens * ServiceTime.PrefillSecondsPerToken;
        return Math.Max(0, Math.Ceiling(Math.Log2(Math.Max(BaseSeconds, Math.Max(served, known)) / BaseSeconds)));
    }

    // A request without a session is one of its own: nothing is attained.
    private static ulong KeyOf(InferenceRequest request) => request.SessionKey;
}

/// <summary>What each key was served so far. Bounded: the least served of those who do not wait are forgotten first. Guarded by the dispatcher's lock.</summary>
internal sealed class ServiceCounters
{
    private const int MaxKeys = 100_000;

    private readonly Dictionary<ulong, double> _served = [];
    private double _floor;

    public double Of(ulong key) => key == 0 ? 0 : _served.GetValueOrDefault(key, _floor);

    /// <summary>Lifts a key that was served less than <paramref name="least"/>.</summary>
    public void Lift(ulong key, double least) => Charge(key, Math.Max(0, least - Of(key)));

    public void Charge(ulong key, double amount)
    {
        if (key == 0)
        {
            return;
        }
        if (_served.Count >= MaxKeys)
        {
            Forget();
        }
        _served[key] = Math.Max(0, Of(key) + amount);
    }

    // Half of the keys, those served least: their place is taken by the floor, from which they start again.
    private void Forget()
    {
        var middle = _served.Values.Order().ElementAt(_served.Count / 2);
        foreach (var key in _served.Where(pair => pair.Value <= middle).Select(pair => pair.Key).ToArray())
        {
            _served.Remove(key);
        }
        _floor = middle;
    }
}
