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
        ["edf"] = options => new DeadlineOrder(options.Classes),
        ["larry"] = _ => new LarryOrder(),
        ["ssjf"] = _ => new SsjfOrder(),
        ["ltr"] = _ => new PromotedShortestOrder(),
        // Fair by themselves: of one client's requests the first come goes first.
        ["vtc"] = _ => new FcfsOrder(),
        ["dlpm"] = _ => new FcfsOrder(),
        ["mlfq"] = options => new AttainedServiceOrder(options.OldestFirstAfter),
    };

    /// <summary>Names that <c>queue.order</c> takes.</summary>
    public static IReadOnlyCollection<string> Names => Orders.Keys;

    /// <param name="options">Names and numbers.</param>
    /// <param name="prefixes">What the replicas are believed to hold.</param>
    /// <exception cref="KeyNotFoundException">An unknown name: the loader should have refused it.</exception>
    public static IQueueOrder Create(QueueOptions options, IPrefixSight prefixes)
    {
        // Promotion takes the place of the guard by waiting time. Where the guard is the order itself (larry, ssjf, ltr), it goes on among those that waited equally long.
        var rescued = options.Rescue == RescueMode.Promotion
            ? new PromotingOrder(Orders[options.Order](options with { OldestFirstAfter = TimeSpan.MaxValue }), options.OldestFirstAfter)
            : Orders[options.Order](options);
        return FairnessOf(options) switch
        {
            FairnessMode.Vtc => new TokenCounterOrder(rescued, options.FairnessQuantumTokens),
            FairnessMode.Dlpm => new DeficitOrder(rescued, options.FairnessQuantumTokens, prefixes, options.OldestFirstAfter),
            _ => rescued,
        };
    }

    /// <summary>How clients share the turns: as asked, or as the order does by itself.</summary>
    public static FairnessMode FairnessOf(QueueOptions options) => options.Order switch
    {
        "vtc" => FairnessMode.Vtc,
        "dlpm" => FairnessMode.Dlpm,
        _ => options.Fairness,
    };
}
