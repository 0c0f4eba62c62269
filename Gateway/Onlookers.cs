using Gateway.Dashboard;
using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Requests;
using Gateway.Telemetry;

namespace Gateway;

/// <summary>Those who look on while turns are decided: the decision log, and the board behind the status page. Thread-safe.</summary>
public sealed class Onlookers(DecisionLog log, StatusBoard board)
{
    /// <summary>How the queue stands before a request enters it, as far as anybody asks.</summary>
    public Foreseen Foresee(ModelPool model, InferenceRequest request, in RequestEstimate estimate)
    {
        var isLogged = log.IsOn;
        return new Foreseen(
            isLogged || board.Decisions.WantsPlaces() ? model.Dispatcher.Explain(request, estimate, Pinning.Of(request, model)) : null,
            isLogged ? model.Dispatcher.AheadByShadow(request, estimate) : null);
    }

    /// <summary>Shows whose request waits while it does; without a tenant it is nobody's.</summary>
    public ValueTask<AdmissionResult> Watch(ValueTask<AdmissionResult> turn, ModelPool model, InferenceRequest request, string? tenant) =>
        tenant is null || turn.IsCompleted ? turn : board.Tenants.CountAsync(new(model.Pool.Name, request.Priority, tenant), turn.AsTask());

    /// <summary>Shows what was decided.</summary>
    public void OnDecided(ModelPool model, InferenceRequest request, string? tenant, in RequestEstimate estimate, in AdmissionResult admission, in Foreseen foreseen)
    {
        if (foreseen.Explanation is { } explanation)
        {
            log.Write(request.Id, model.Pool.Name, admission, explanation);
            log.WriteShadow(request.Id, model.Pool.Name, model.Shadow?.Policy, admission.Shadow, foreseen.AheadByShadow);
        }
        board.OnDecision(request, model.Pool.Name, tenant, estimate, admission, foreseen.Explanation);
    }

    /// <summary>What is known of a decision before it is made.</summary>
    /// <param name="Explanation">What speaks for which replica; null: nobody asks.</param>
    /// <param name="AheadByShadow">How many the second policy would let go first; null: there is none, or nobody asks.</param>
    public readonly record struct Foreseen(Explanation? Explanation, int? AheadByShadow);
}
