using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>Who goes first within a priority class: a key computed once on arrival, so that ageing is part of it.</summary>
public interface IQueueOrder
{
    /// <summary>Name in the configuration.</summary>
    string Name { get; }

    /// <param name="request">The request.</param>
    /// <param name="estimate">What it is expected to cost.</param>
    /// <param name="arrival">Time since the core started.</param>
    /// <returns>Seconds on the scale of arrival times, finite; smaller goes first, equals go by arrival.</returns>
    double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival);
}

/// <summary>First come, first served.</summary>
public sealed class FcfsOrder : IQueueOrder
{
    public string Name => "fcfs";

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival) => arrival.TotalSeconds;
}

/// <summary>The table of names: a new order is one class and one line here.</summary>
public static class QueueOrders
{
    private static readonly Dictionary<string, Func<QueueOptions, IQueueOrder>> Orders = new()
    {
        ["fcfs"] = _ => new FcfsOrder(),
    };

    /// <summary>Names that <c>queue.order</c> takes.</summary>
    public static IReadOnlyCollection<string> Names => Orders.Keys;

    /// <exception cref="KeyNotFoundException">An unknown name: the loader should have refused it.</exception>
    public static IQueueOrder Create(QueueOptions options) => Orders[options.Order](options);
}
