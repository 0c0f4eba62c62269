using Gateway.Queueing;
using Gateway.Routing;
using Gateway.Simulation;

namespace Gateway.Replay;

/// <summary>The fleet and the draws of a replay: the same for every policy that is compared.</summary>
public sealed record ReplaySettings
{
    /// <summary>Engines, at least 1.</summary>
    public int Replicas { get; init; } = 4;

    /// <summary>What each engine is.</summary>
    public required EngineProfile Profile { get; init; }

    /// <summary>Speed of each engine relative to the profile; engines beyond the list run at 1.</summary>
    public IReadOnlyList<double> Speeds { get; init; } = [];

    public int Seed { get; init; } = 1;

    /// <summary>All requests are of the default class for the gateway, whatever the workload says; their limits stay. For orders that are to do without classes.</summary>
    public bool IgnoresPriorities { get; init; }

    /// <summary>Deadline of every request, from its arrival to the end of its answer; null: none.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>From the gateway's decision to the engine. A real request misses the step that begins in the moment in which room returns; one that takes no time does not.</summary>
    public TimeSpan HopTime { get; init; }

    /// <summary>Time between two readings of the engines' own metrics.</summary>
    public TimeSpan ScrapeInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Time between two samples of the timelines.</summary>
    public TimeSpan SampleInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>What the engines tell of their KV room.</summary>
    public RoomKnowledge Room { get; init; } = RoomKnowledge.Capacity;

    /// <summary>Targets that policies with <c>edf:hard</c> are told.</summary>
    public ClassesOptions Targets { get; init; } = new();

    /// <summary>A second policy that only says what it would do.</summary>
    public ShadowOptions Shadow { get; init; } = new();

    internal double SpeedOf(int replica) => replica < Speeds.Count ? Speeds[replica] : 1;
}

/// <summary>What engines tell of their KV room; slots come with the capacity.</summary>
public enum RoomKnowledge
{
    /// <summary>Its size.</summary>
    Capacity,

    /// <summary>The share in use.</summary>
    Usage,

    /// <summary>Neither: only how many requests run and wait, and preemptions.</summary>
    Queue,
}
