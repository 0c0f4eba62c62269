namespace Gateway.Forwarding;

/// <summary>What a caller's standing changes in what an engine gets.</summary>
/// <param name="EndsAuthorization">Whether the client's key is the gateway's own business and goes no further.</param>
/// <param name="RemovesTrustedFields">Whether body fields that only trusted callers may send are removed.</param>
/// <param name="CacheSalt">Keeps the caller's prefixes apart from others' in the engine's cache; null: shared with all.</param>
public sealed record CallerTerms(bool EndsAuthorization, bool RemovesTrustedFields, string? CacheSalt)
{
    /// <summary>An open gateway's: nothing is changed.</summary>
    public static CallerTerms Open { get; } = new(false, false, null);
}
