namespace Gateway.Cli.Demo;

/// <summary>One question of a conversation.</summary>
/// <param name="Text">What the user says.</param>
/// <param name="MaxTokens">The request's own limit; null: none.</param>
/// <param name="IsStreamed">Whether the answer is asked for as a stream.</param>
internal sealed record DemoTurn(string Text, int? MaxTokens, bool IsStreamed);

/// <summary>Questions that follow each other: each is asked with all before it and their answers.</summary>
/// <param name="Id">Sent as the session; unique.</param>
/// <param name="Tenant">Whose it is.</param>
/// <param name="Priority">The class of urgency, as its header spells it.</param>
/// <param name="System">The instructions that a tenant's conversations share.</param>
/// <param name="Turns">At least one.</param>
internal sealed record DemoConversation(string Id, string Tenant, string Priority, string System, IReadOnlyList<DemoTurn> Turns);

/// <summary>How one request went.</summary>
internal sealed record DemoResult
{
    public required string Tenant { get; init; }

    public required bool IsStreamed { get; init; }

    /// <summary>Null: it succeeded. Else why not, in a few words.</summary>
    public string? Failure { get; init; }

    /// <summary>The replica that answered; null: none.</summary>
    public string? Replica { get; init; }

    /// <summary>To the first token of a stream; null for a plain answer.</summary>
    public TimeSpan? TimeToFirstToken { get; init; }

    public TimeSpan Latency { get; init; }

    public int PromptTokens { get; init; }

    /// <summary>Prompt tokens that the engine found in its prefix cache.</summary>
    public int CachedTokens { get; init; }

    public int OutputTokens { get; init; }
}
