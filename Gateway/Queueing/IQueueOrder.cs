using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>Who goes first within a priority class: a key computed once on arrival.</summary>
public interface IQueueOrder
{
    /// <summary>Name in the configuration.</summary>
    string Name { get; }

    /// <param name="request">The request.</param>
    /// <param name="estimate">What it is expected to cost.</param>
    /// <param name="arrival">Time since the core started.</param>
    /// <returns>Finite; smaller goes first, equals go by arrival.</returns>
    double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival);
}

/// <summary>An order that must look at the queue when a turn is free, because its keys move with time or with each other. Called under the dispatcher's lock.</summary>
public interface IQueueSelector
{
    /// <param name="waiting">Who waits in the class, at least one, in no order.</param>
    /// <param name="now">Time since the core started.</param>
    /// <returns>The index of who goes next.</returns>
    int Select(ReadOnlySpan<Waiter> waiting, TimeSpan now);
}

/// <summary>An order under which a request could be overtaken for ever: after some time the oldest goes first.</summary>
public interface IBoundedOvertaking
{
    /// <summary>How long a request may wait before that.</summary>
    TimeSpan LongestWait { get; }
}

/// <summary>An order that keeps account of who was served how much. Called under the dispatcher's lock.</summary>
public interface IServiceAccount
{
    /// <summary>A request begins to wait.</summary>
    void OnEntered(InferenceRequest request);

    /// <summary>A request gets its turn, with or without a wait.</summary>
    void OnTurn(InferenceRequest request, in RequestEstimate estimate, TimeSpan waited);

    /// <summary>A request that had its turn ended.</summary>
    void OnCompleted(InferenceRequest request, in RequestEstimate estimate, int outputTokens);
}
