using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

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

    public void OnEntered(InferenceRequest request, bool isFirst)
    {
    }

    // Attained is what was served: of the answer nothing yet.
    public ServedTokens OnTurn(InferenceRequest request, in RequestEstimate estimate, int cachedTokens, TimeSpan waited)
    {
        var prompt = new ServedTokens(Math.Max(0, estimate.PromptTokens - cachedTokens), 0);
        Charge(request, prompt);
        return prompt;
    }

    public void Charge(InferenceRequest request, in ServedTokens difference) => _sessions.Charge(
        KeyOf(request),
        (difference.UncachedPromptTokens * ServiceTime.PrefillSecondsPerToken) + (difference.OutputTokens * ServiceTime.DecodeSecondsPerToken));

    private double LevelOf(Waiter waiter)
    {
        var served = _sessions.Of(KeyOf(waiter.Request));
        var known = waiter.Estimate.PromptTokens * ServiceTime.PrefillSecondsPerToken;
        return Math.Max(0, Math.Ceiling(Math.Log2(Math.Max(BaseSeconds, Math.Max(served, known)) / BaseSeconds)));
    }

    // A request without a session is one of its own: nothing is attained.
    private static ulong KeyOf(InferenceRequest request) => request.SessionKey;
}
