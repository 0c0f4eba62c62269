using Gateway.Requests;

namespace Gateway.Replay.Estimates;

/// <summary>A request as the gateway sees it, with the length that its answer really had. Immutable; holds no text.</summary>
public sealed record LabelledRequest
{
    /// <summary>What an estimator may know.</summary>
    public required InferenceRequest Request { get; init; }

    /// <summary>The application that asked.</summary>
    public required string Source { get; init; }

    /// <summary>Equal for equal prompts, whatever the file or the model: such rows are never divided between training and test.</summary>
    public required ulong PromptKey { get; init; }

    /// <summary>Tokens of the answer, at least 0.</summary>
    public required int OutputTokens { get; init; }

    /// <summary>The answer was cut, so its length is only a lower bound.</summary>
    public required bool IsCensored { get; init; }

    /// <summary>Lengths of further answers to the same prompt, in the order of the row; empty where one was drawn.</summary>
    public IReadOnlyList<int> Samples { get; init; } = [];

    /// <summary>The model that answered.</summary>
    public string Model => Request.Model;
}

/// <summary>One file of labelled requests, in the order of its rows.</summary>
/// <param name="Name">Its name without folder.</param>
/// <param name="Rows">At least one.</param>
public sealed record LabelledFile(string Name, IReadOnlyList<LabelledRequest> Rows);
