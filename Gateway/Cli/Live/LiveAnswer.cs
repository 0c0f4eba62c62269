using Gateway.Replay.Reports;
using Gateway.Replay.Traces;

namespace Gateway.Cli.Live;

/// <summary>How one request of a load ended. Moments are timestamps of the run's clock.</summary>
internal sealed record LiveAnswer
{
    /// <summary>When it was sent; null: it never was.</summary>
    public long? SentAt { get; init; }

    /// <summary>When its answer ended, well or not.</summary>
    public required long EndedAt { get; init; }

    /// <summary>Null: complete. Otherwise a status or a kind, never anything of the answer's own.</summary>
    public string? Failure { get; init; }

    /// <summary>How reports count it.</summary>
    public ReplayOutcome Outcome { get; init; }

    /// <summary>Cut by the end of the run: counted apart.</summary>
    public bool IsGivenUp { get; init; }

    /// <summary>What its stream said.</summary>
    public LiveStream? Stream { get; init; }

    /// <summary>The gateway's own wait, where it told.</summary>
    public TimeSpan QueueWait { get; init; }

    /// <summary>Which replica answered, where a gateway told.</summary>
    public string? Replica { get; init; }

    /// <summary>What a gateway expected; 0: not told.</summary>
    public double EstimatedOutputTokens { get; init; }

    /// <summary>As the statistics take it.</summary>
    /// <param name="row">What was asked.</param>
    /// <param name="begunAt">The run's start.</param>
    /// <param name="time">The run's clock.</param>
    public RequestResult Result(TraceRequest row, long begunAt, TimeProvider time)
    {
        var sentAt = SentAt ?? EndedAt;
        return new RequestResult
        {
            Outcome = Outcome,
            Arrival = time.GetElapsedTime(begunAt, sentAt),
            QueueWait = QueueWait,
            TimeToFirstToken = time.GetElapsedTime(sentAt, Stream?.FirstAt ?? sentAt),
            EndToEnd = time.GetElapsedTime(sentAt, Stream?.LastAt ?? sentAt),
            InputTokens = Stream?.Usage.PromptTokens ?? row.InputTokens,
            OutputTokens = Stream?.OutputTokens ?? 0,
            CachedTokens = Stream?.Usage.CachedTokens ?? 0,
            EstimatedOutputTokens = EstimatedOutputTokens,
            ClientId = row.ClientId,
            Priority = row.Priority,
            TimeToFirstTokenSlo = row.TimeToFirstTokenSlo,
        };
    }
}
