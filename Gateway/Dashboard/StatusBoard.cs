using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Requests;

namespace Gateway.Dashboard;

/// <summary>What the status page shows beside the fleet itself: decisions, who waits, latencies. Thread-safe, bounded.</summary>
public sealed class StatusBoard(TimeProvider time)
{
    public RecentDecisions Decisions { get; } = new(time);

    public QueueTenants Tenants { get; } = new();

    public LatencyHistory Latencies { get; } = new(time);

    public RecentFailures Failures { get; } = new(time);

    /// <summary>Notes how a request's wait for a turn ended.</summary>
    /// <param name="request">The request.</param>
    /// <param name="model">The pool's name.</param>
    /// <param name="tenant">Its tenant as it may be shown; null: not at all.</param>
    /// <param name="estimate">What was expected of it.</param>
    /// <param name="decided">What was decided.</param>
    /// <param name="before">How things stood when it came; null: nobody asked.</param>
    public void OnDecision(InferenceRequest request, string model, string? tenant, in RequestEstimate estimate, in AdmissionResult decided, Explanation? before) => Decisions.Add(
        new Decision
        {
            At = time.GetUtcNow(),
            RequestId = request.Id,
            Model = model,
            Priority = request.Priority,
            Tenant = tenant,
            PromptTokens = estimate.PromptTokens,
            OutputTokens = estimate.OutputTokens,
            Outcome = decided.Outcome,
            ReplicaId = decided.Reservation?.Replica.Id,
            Reason = decided.Reason,
            HeldFor = decided.HeldFor,
            Waited = decided.Waited,
            PrefixHitTokens = decided.PrefixHitTokens,
        },
        before);
}
