using System.Globalization;

namespace Gateway.Replay.Traces.Readers;

/// <summary>A line of a trace, for messages.</summary>
internal readonly record struct TraceSpot(string File, long Line)
{
    /// <param name="what">What is wrong, and what is allowed.</param>
    public TraceException Wrong(string what) => new(string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}: {what}"));
}
