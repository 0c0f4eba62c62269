using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>A request's order key, as of its turn, in an engine's own scale, so that the engine's queue keeps the gateway's order. Pure.</summary>
/// <remarks>Classes are shifts in time: an urgent request goes before those that came up to a minute earlier, and whoever waits in the engine is passed by ever fewer.</remarks>
internal static class EnginePriorityKey
{
    /// <summary>Keys count from here, so that several gateways, and one before and after its restart, agree.</summary>
    public static readonly DateTimeOffset Epoch = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private const double ClassShiftSeconds = 60;
    private const double MostLevelShiftSeconds = 25;

    // SGLang keeps a metric series for every value it ever saw, and by default stops a running request for one that is better by more than ten.
    private const double CoarseSeconds = 10;

    /// <summary>By which end a replica's engine schedules first, if by any: as configured, else as it says.</summary>
    public static EnginePriority ScaleOf(Replica replica, EnginePriority declared) => declared == EnginePriority.Auto ? replica.Report.Priority : declared;

    /// <summary>The key of a request that was placed; null where the engine is not known to schedule by one, or the order has none that would mean anything there.</summary>
    /// <param name="request">The request.</param>
    /// <param name="estimate">What it is expected to cost.</param>
    /// <param name="arrivedOn">When it came.</param>
    /// <param name="order">The order in force.</param>
    /// <param name="scale">Which end goes first there.</param>
    public static int? For(InferenceRequest request, in RequestEstimate estimate, DateTimeOffset arrivedOn, IQueueOrder order, EnginePriority scale) =>
        // Orders that look at the queue have no constant key.
        scale is not (EnginePriority.LowerFirst or EnginePriority.HigherFirst) || order is IQueueSelector
            ? null
            : Of(order.Rank(request, estimate, arrivedOn - Epoch), request, scale);

    /// <param name="rankSeconds">The order's key, of an arrival that is counted from <see cref="Epoch"/>.</param>
    /// <param name="request">Its class and level.</param>
    /// <param name="scale">Which end goes first; <see cref="EnginePriority.LowerFirst"/> or <see cref="EnginePriority.HigherFirst"/>.</param>
    /// <returns>Milliseconds where lower goes first, tens of seconds where higher does. Milliseconds begin anew every 49 days: who waits in an engine then goes last once.</returns>
    public static int Of(double rankSeconds, InferenceRequest request, EnginePriority scale)
    {
        var shift = ClassShiftSeconds * ((int)request.Priority - (int)PriorityClass.Default);
        var key = rankSeconds + shift - Math.Clamp(request.PriorityLevel, -MostLevelShiftSeconds, MostLevelShiftSeconds);
        return scale == EnginePriority.LowerFirst
            ? unchecked((int)(long)Math.Floor(1000 * key))
            : (int)Math.Clamp(-Math.Floor(key / CoarseSeconds), int.MinValue, int.MaxValue);
    }
}
