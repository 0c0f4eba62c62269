using System.ComponentModel.DataAnnotations;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>What the requests of each class are meant to get. Takes effect on reload.</summary>
public sealed record ClassesOptions
{
    /// <summary>Targets of requests for people who wait.</summary>
    public ClassOptions Interactive { get; init; } = new();

    /// <summary>Targets of requests that name no class.</summary>
    public ClassOptions Default { get; init; } = new();

    /// <summary>Targets of requests that nobody waits for.</summary>
    public ClassOptions Batch { get; init; } = new();

    /// <summary>Those of one class.</summary>
    public ClassOptions Of(PriorityClass priority) => priority switch
    {
        PriorityClass.Interactive => Interactive,
        PriorityClass.Batch => Batch,
        _ => Default,
    };

    /// <summary>When a request's first token is wanted, from its arrival: as it says itself, else by its class. Null: nobody says.</summary>
    public TimeSpan? TtftTargetOf(InferenceRequest request) => request.TimeToFirstTokenSlo ?? Of(request.Priority).TtftTarget;
}

/// <summary>Targets of one class.</summary>
public sealed record ClassOptions
{
    /// <summary>Arrival to first token. A request's own wish goes before it.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan? TtftTarget { get; init; }

    /// <summary>Mean time per token after the first. No replica takes a request by which its steps would become longer than the shortest target of those that share them.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:10:00")]
    public TimeSpan? InterTokenTarget { get; init; }
}
