using Gateway.Requests;

namespace Gateway.Replay.Traces;

/// <summary>One request of a workload: when it comes, how long it is, and what it shares with others.</summary>
public sealed record TraceRequest
{
    /// <summary>Time since the workload's start; never before the row above it. For a turn with <see cref="Think"/> only a bound from below: often its session's start.</summary>
    public required TimeSpan Arrival { get; init; }

    /// <summary>Prompt tokens, at least 1.</summary>
    public required int InputTokens { get; init; }

    /// <summary>Tokens that the answer really has, at least 0; unknown to every policy but the oracle's.</summary>
    public required int OutputTokens { get; init; }

    /// <summary>Who asks; null where the source does not say.</summary>
    public string? ClientId { get; init; }

    /// <summary>The conversation it belongs to: its next turn never starts before its last answer. Null: none.</summary>
    public string? SessionId { get; init; }

    /// <summary>Pause between the end of the session's last answer and this turn; null: it starts at its <see cref="Arrival"/>, or later.</summary>
    public TimeSpan? Think { get; init; }

    /// <summary>The model that answered in the source; null where the source does not say.</summary>
    public string? Model { get; init; }

    /// <summary>Chained hashes of the prompt's blocks: two requests share a prefix as far as their leading hashes agree. Empty: nothing is shared.</summary>
    public ReadOnlyMemory<ulong> Blocks { get; init; }

    /// <summary>Prompt tokens per block of <see cref="Blocks"/>; 0 without blocks. The last block of a recorded prompt may be partly filled.</summary>
    public int BlockTokens { get; init; }

    /// <summary>The tool that the answer calls; null: none, or the source does not tell.</summary>
    public string? Tool { get; init; }

    /// <summary>The prompt's text, for workloads that have one; kept in memory only while the request lives.</summary>
    public string? Prompt { get; init; }

    /// <summary>What a length classifier said of the prompt, 0 for the shortest class, right only on average; null where the source has none.</summary>
    public int? LengthClass { get; init; }

    /// <summary>The client's own limit on output tokens; null: none.</summary>
    public int? MaxOutputTokens { get; init; }

    public PriorityClass Priority { get; init; } = PriorityClass.Default;

    /// <summary>Longest time to the first token that counts as good; null: the run's own.</summary>
    public TimeSpan? TimeToFirstTokenSlo { get; init; }
}

/// <summary>A workload that can be read again from its start, for each policy anew.</summary>
public interface ITrace
{
    /// <summary>How it is named in reports: a file's name without its folder, or the generator's words.</summary>
    string Name { get; }

    /// <summary>The requests in the order of their arrival, read one at a time.</summary>
    /// <exception cref="TraceException">The source is damaged; says where, and what is allowed.</exception>
    IEnumerable<TraceRequest> Read();
}

/// <summary>A workload that cannot be read: file, line, and what is allowed there.</summary>
public sealed class TraceException(string message) : Exception(message);
