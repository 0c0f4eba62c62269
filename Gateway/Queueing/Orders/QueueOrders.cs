namespace Gateway.Queueing.Orders;

/// <summary>The table of names: a new order is one class and one line here.</summary>
public static class QueueOrders
{
    private static readonly Dictionary<string, Func<QueueOptions, IQueueOrder>> Orders = new()
    {
        ["fcfs"] = _ => new FcfsOrder(),
        ["sjf"] = options => new ShortestFirstOrder(options.OldestFirstAfter),
        ["boost"] = options => new BoostOrder(options.BoostPerSecond),
        ["wspt"] = options => new WeightedShortestOrder(options.OldestFirstAfter),
        ["lamps"] = options => new MemoryTimeOrder(options.OldestFirstAfter),
        ["edf"] = _ => new DeadlineOrder(),
        ["larry"] = _ => new LarryOrder(),
        ["ssjf"] = _ => new SsjfOrder(),
        ["ltr"] = _ => new PromotedShortestOrder(),
        ["vtc"] = _ => new TokenCounterOrder(),
        ["mlfq"] = options => new AttainedServiceOrder(options.OldestFirstAfter),
    };

    /// <summary>Names that <c>queue.order</c> takes.</summary>
    public static IReadOnlyCollection<string> Names => Orders.Keys;

    /// <exception cref="KeyNotFoundException">An unknown name: the loader should have refused it.</exception>
    public static IQueueOrder Create(QueueOptions options) => Orders[options.Order](options);
}
