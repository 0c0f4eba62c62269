namespace Gateway.Configuration;

/// <summary>Where a setting was written: a place in a file, or an environment variable.</summary>
/// <param name="File">The file as the user named it, or the variable's name.</param>
/// <param name="Line">From 1; 0 where there are no lines: an environment variable, an unreadable file.</param>
/// <param name="Column">From 1; 0 where <paramref name="Line"/> is 0.</param>
public readonly record struct SourceSpot(string File, long Line, long Column)
{
    /// <summary>A spot without lines.</summary>
    public static SourceSpot Of(string name) => new(name, 0, 0);

    /// <summary><c>file:line:column</c>, or the bare name.</summary>
    public override string ToString() => Line == 0 ? File : $"{File}:{Line}:{Column}";
}

/// <summary>One mistake in the configuration, for a person to read. Carries no secret.</summary>
/// <param name="Where">The key for an unknown key, the value for a wrong value.</param>
/// <param name="Path">The setting, as in <c>models[0].name</c>; empty where the file as a whole is meant.</param>
/// <param name="What">A sentence that says what is wrong and what is allowed.</param>
/// <param name="Suggestion">The word that was probably meant; null where none is near.</param>
public sealed record ConfigurationProblem(SourceSpot Where, string Path, string What, string? Suggestion)
{
    /// <summary>The problem without its spot: <c>path: message Did you mean "x"?</c></summary>
    public override string ToString() =>
        (Path.Length == 0 ? "" : Path + ": ") + What + (Suggestion is null ? "" : $" Did you mean \"{Suggestion}\"?");
}

/// <summary>What loading ended in: the options, or every problem found. A value, because a mistake in a file is expected.</summary>
/// <param name="Options">Null exactly where there are problems.</param>
/// <param name="Problems">In the order of the file, then of the environment.</param>
public sealed record LoadResult<T>(T? Options, IReadOnlyList<ConfigurationProblem> Problems)
    where T : class
{
    /// <summary>What is allowed but hardly meant, in the order of the file; also where there are options.</summary>
    public IReadOnlyList<ConfigurationProblem> Warnings { get; init; } = [];
}
