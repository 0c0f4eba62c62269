using Gateway.Forwarding.Answers;

namespace Gateway.Forwarding;

/// <summary>Why a stream ended before its answer.</summary>
internal enum StreamBreak
{
    /// <summary>The connection broke.</summary>
    Broken,

    /// <summary>The engine closed it too early.</summary>
    Truncated,

    /// <summary>A limit on time passed.</summary>
    Timeout,

    /// <summary>The request's own deadline passed.</summary>
    Deadline,

    /// <summary>The gateway stops.</summary>
    Shutdown,

    /// <summary>Its place went to a more urgent request.</summary>
    Preempted,
}

/// <summary>What clients are told of a stream that ended before its answer.</summary>
internal static class StreamBreaks
{
    public static WireError ErrorOf(StreamBreak why) => why switch
    {
        StreamBreak.Shutdown => new WireError(503, "server_error", "shutting_down", "The gateway shuts down and cannot wait for the rest of this answer. Send the request again."),
        StreamBreak.Deadline => new WireError(
            504, "timeout_error", "deadline_exceeded", "The request's own deadline has passed before this answer was whole. Allow more time, or ask for less."),
        StreamBreak.Timeout => new WireError(504, "timeout_error", "upstream_timeout", "The rest of this answer did not come in time. Send the request again, or ask for less at once."),
        _ => new WireError(502, "server_error", CodeOf(why), "The engine's answer broke off here and is incomplete. Send the request again."),
    };

    private static string CodeOf(StreamBreak why) => why switch
    {
        StreamBreak.Truncated => "upstream_stream_truncated",
        StreamBreak.Preempted => "preempted",
        _ => "upstream_stream_broken",
    };
}
