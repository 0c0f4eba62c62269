namespace Gateway.Cli.Live;

/// <summary>The endpoint under load, and how it is spoken to.</summary>
internal sealed record LiveTarget
{
    /// <summary>Its address up to and including <c>/v1/</c>.</summary>
    public required Uri Root { get; init; }

    /// <summary>The model asked for; null: the first that it lists.</summary>
    public string? Model { get; init; }

    /// <summary>Sent as a bearer token, and nowhere shown; null: none.</summary>
    public string? Key { get; init; }

    /// <summary>Only fields that OpenAI's own API knows: answers may then be shorter than the workload's.</summary>
    public bool IsPlain { get; init; }

    /// <summary>From sending a request to the end of its answer, at most.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Requests open at once, at most; one beyond is counted as failed and not sent, so that the others keep their times.</summary>
    public int MostOpen { get; init; } = 4_096;

    /// <summary>Decides the words of made-up prompts. Another seed meets no cache that an earlier run has filled.</summary>
    public int Seed { get; init; }
}
