namespace Gateway.Simulation.Serving;

/// <summary>How an engine misbehaves on purpose. Immutable: swap the whole record; each request reads it once. Everything off by default.</summary>
public sealed record EngineFaults
{
    /// <summary>An engine that behaves.</summary>
    public static EngineFaults None { get; } = new();

    /// <summary>Share of the data requests answered with 500 before the first byte, 0 to 1; drawn by the engine's seed.</summary>
    public double FailRate { get; init; }

    /// <summary>Answers every data request with this status at once, such as 429 or 503; null: off.</summary>
    public int? RefuseStatus { get; init; }

    /// <summary>Value of <c>Retry-After</c> with <see cref="RefuseStatus"/>; null: no such header.</summary>
    public string? RetryAfter { get; init; }

    /// <summary>After this many tokens of an answer nothing more is sent, and the connection stays open; null: off.</summary>
    public int? StallAfterTokens { get; init; }

    /// <summary>After this many tokens of an answer the connection is aborted; null: off.</summary>
    public int? DieAfterTokens { get; init; }

    /// <summary>A frame that is not JSON is sent before the token of this index; null: off.</summary>
    public int? MalformedFrameAt { get; init; }

    /// <summary>Streams end in order, but without a finish reason, usage or sentinel.</summary>
    public bool CutWithoutFinish { get; init; }

    /// <summary>Chat and completion streams end without <c>[DONE]</c>.</summary>
    public bool OmitDone { get; init; }

    /// <summary>Data requests get status 200 and a body that is not JSON.</summary>
    public bool NonsenseBody { get; init; }

    /// <summary>Data requests get a <c>Content-Length</c> larger than the body, and then the connection's end.</summary>
    public bool WrongLength { get; init; }

    /// <summary>Data requests get a response header that never ends (8 MiB, then silence).</summary>
    public bool EndlessHeader { get; init; }

    /// <summary><c>/health</c>, <c>/ping</c> and <c>/metrics</c> accept the request and never answer.</summary>
    public bool HangHealth { get; init; }

    /// <summary><c>/health</c> and <c>/ping</c> answer 503, as vLLM does when its core is dead.</summary>
    public bool FailHealth { get; init; }

    /// <summary>Wait before an answer's first token, on top of the engine's own time; a stream's headers are out by then.</summary>
    public TimeSpan ExtraFirstTokenDelay { get; init; }
}
