using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>Who goes first within a priority class: a key that is computed on arrival, and again only when more or less is cached of the prompt.</summary>
public interface IQueueOrder
{
    /// <summary>Name in the configuration.</summary>
    string Name { get; }

    /// <param name="request">The request.</param>
    /// <param name="estimate">What it is expected to cost, and how much of its prompt is cached.</param>
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

/// <summary>An order that shares the turns among clients. Called under the dispatcher's lock.</summary>
public interface IFairOrder
{
    /// <summary>Whether a request may take room that another, whose turn it is, cannot use: only as far as its client's share goes.</summary>
    bool MayPass(Waiter passing, Waiter passed);
}

/// <summary>An order under which a request could be overtaken for ever: after some time the oldest goes first.</summary>
public interface IBoundedOvertaking
{
    /// <summary>How long a request may wait before that.</summary>
    TimeSpan LongestWait { get; }
}

/// <summary>What a request is charged: prompt tokens that had to be computed, and output tokens over all sequences.</summary>
public readonly record struct ServedTokens(double UncachedPromptTokens, double OutputTokens)
{
    public static ServedTokens operator -(ServedTokens a, ServedTokens b) => new(a.UncachedPromptTokens - b.UncachedPromptTokens, a.OutputTokens - b.OutputTokens);
}

/// <summary>An order that keeps account of who was served how much. Called under the dispatcher's lock.</summary>
public interface IServiceAccount
{
    /// <summary>A request begins to wait.</summary>
    /// <param name="request">The request.</param>
    /// <param name="isFirst">Whether nobody waited before it.</param>
    void OnEntered(InferenceRequest request, bool isFirst);

    /// <summary>A request gets its turn, with or without a wait.</summary>
    /// <param name="request">The request.</param>
    /// <param name="estimate">What it is expected to cost; what is cached of its prompt only where that counts in its rank.</param>
    /// <param name="cachedTokens">Prompt tokens that its replica is believed to hold.</param>
    /// <param name="waited">How long it waited.</param>
    /// <returns>What is charged in advance.</returns>
    ServedTokens OnTurn(InferenceRequest request, in RequestEstimate estimate, int cachedTokens, TimeSpan waited);

    /// <summary>More is known of what a request was served: it is charged the difference to what it has been charged, or given it back.</summary>
    void Charge(InferenceRequest request, in ServedTokens difference);
}
