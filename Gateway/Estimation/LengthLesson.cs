namespace Gateway.Estimation;

/// <summary>How long an answer was, without the request: what can be told to another gateway that hashes with the same key.</summary>
/// <param name="Model">Hash of the model's name.</param>
/// <param name="Tenant">Hash of model, tenant and API.</param>
/// <param name="Application">Hash of the tenant's requests of one kind.</param>
/// <param name="OutputTokens">Of one answer; at least 0.</param>
/// <param name="Ratio">Length over what was foreseen, in the estimator's own units.</param>
/// <param name="IsCensored">It was cut: only a lower bound.</param>
public readonly record struct LengthLesson(ulong Model, ulong Tenant, ulong Application, int OutputTokens, float Ratio, bool IsCensored);

/// <summary>An estimator whose running distributions can be those of several gateways. Thread-safe.</summary>
public interface ISharedLengths
{
    /// <summary>Hears each lesson that was learned from an answer of this gateway. Called under a lock: quick, and calls nothing back. Null: nobody listens.</summary>
    Action<LengthLesson>? Learned { get; set; }

    /// <summary>Adds another gateway's lesson to the running distributions; experts that read prompts learn nothing from it.</summary>
    void LearnPeers(in LengthLesson lesson);
}
