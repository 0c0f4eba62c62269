namespace Gateway.Replicas.Engines;

/// <summary>How an attempt to read something from an engine ended.</summary>
public enum ReadingOutcome
{
    /// <summary>Read; what it did not say is null.</summary>
    Read,

    /// <summary>The engine answers, but does not tell this.</summary>
    Absent,

    /// <summary>It asks for another API key.</summary>
    Unauthorized,

    /// <summary>It did not answer in time: busy, or hung.</summary>
    Slow,

    /// <summary>It did not answer, or with an error of its own.</summary>
    Failed,
}

/// <summary>What was read from an engine.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Detail">Why it was not read, for the log; empty when it was.</param>
/// <param name="Report">The fields that were read; <see cref="EngineReport.Empty"/> unless read.</param>
public sealed record EngineReading(ReadingOutcome Outcome, string Detail, EngineReport Report)
{
    internal static EngineReading Of(EngineReport report) => new(ReadingOutcome.Read, "", report);

    internal static EngineReading Absent(string detail) => new(ReadingOutcome.Absent, detail, EngineReport.Empty);

    /// <summary>The reading for an answer that carries nothing to read.</summary>
    internal static EngineReading Not(EngineAnswer answer, string path)
    {
        var (outcome, detail) = answer switch
        {
            { IsSlow: true } => (ReadingOutcome.Slow, answer.Failure!),
            { Failure: { } failure } => (ReadingOutcome.Failed, failure),
            { IsUnauthorized: true } => (ReadingOutcome.Unauthorized, $"{answer.Status} on {path}"),
            // 501: llama.cpp's word for an endpoint that is switched off.
            { Status: >= 500 and not 501 } => (ReadingOutcome.Failed, $"{answer.Status} on {path}"),
            { IsSuccess: true } => (ReadingOutcome.Absent, $"nothing readable on {path}"),
            _ => (ReadingOutcome.Absent, $"{answer.Status} on {path}"),
        };
        return new EngineReading(outcome, detail, EngineReport.Empty);
    }
}
