using System.ComponentModel.DataAnnotations;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <summary>Signs of life for streaming clients behind load balancers that cut quiet connections. Takes effect on reload, for requests that start after it.</summary>
public sealed record HeartbeatOptions
{
    /// <summary>Silence after which a beat is sent, and again; 0: never.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan Interval { get; init; } = TimeSpan.Zero;

    /// <summary>
    /// Wait for a turn and a first token after which 200 is sent and the beats begin; from then on a refusal or failure can only be the stream's last event.
    /// 0: the status is held until the engine's first event, and only the silence after it is filled.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan CommitAfter { get; init; } = TimeSpan.Zero;

    /// <summary>What a beat is on chat and text completions. Responses get a comment, messages their API's own <c>ping</c>.</summary>
    public HeartbeatForm Form { get; init; } = HeartbeatForm.Newlines;

    internal bool IsOn => Interval > TimeSpan.Zero;

    /// <summary>A beat in an API's form: nothing to its clients' parsers.</summary>
    internal byte[] BeatOf(ApiRoute route) => route.Kind switch
    {
        ApiKind.Messages => "event: ping\ndata: {\"type\": \"ping\"}\n\n"u8.ToArray(),
        ApiKind.Responses => ": keep-alive\n\n"u8.ToArray(),
        _ => Form == HeartbeatForm.Comment ? ": keep-alive\n\n"u8.ToArray() : "\n\n\n"u8.ToArray(),
    };
}

/// <summary>What keeps a stream of the OpenAI completions alive. Some benchmark clients lose all later events after a comment, or time a lone blank line as one.</summary>
public enum HeartbeatForm
{
    /// <summary>Three line feeds.</summary>
    Newlines,

    /// <summary>The comment <c>: keep-alive</c>, which every intermediary takes for content.</summary>
    Comment,
}
