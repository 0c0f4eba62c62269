namespace Gateway.Cli.Probes;

/// <summary>One thing about a replica that a person should know.</summary>
/// <param name="MustBeFixed">Requests would fail, or engines be used as they are not; else it is worth a look.</param>
/// <param name="What">What was found.</param>
/// <param name="Fix">What to do about it.</param>
internal sealed record ProbeFinding(bool MustBeFixed, string What, string Fix);
