using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>An awaited wait for a turn: allocates a task only when the decision does not come at once.</summary>
internal sealed class Turn
{
    private readonly Lock _gate = new();
    private TaskCompletionSource<AdmissionResult>? _later;
    private AdmissionResult? _decided;
    private CancellationTokenRegistration _registration;

    public void Decide(AdmissionResult result)
    {
        lock (_gate)
        {
            _decided = result;
        }
        _later?.TrySetResult(result);
    }

    public void Follow(Waiter waiter, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_decided is not null)
            {
                return;
            }
            _later = new TaskCompletionSource<AdmissionResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        _registration = cancellationToken.UnsafeRegister(static state => ((Waiter)state!).Cancel(), waiter);
    }

    public ValueTask<AdmissionResult> Result() => _later is { } later
        ? new ValueTask<AdmissionResult>(FinishAsync(later.Task))
        : ValueTask.FromResult(_decided!.Value);

    private async Task<AdmissionResult> FinishAsync(Task<AdmissionResult> decided)
    {
        var result = await decided;
        await _registration.DisposeAsync();
        return result;
    }
}

/// <summary>Entering a queue where the caller awaits its turn.</summary>
public static class TurnExtensions
{
    /// <summary>Asks for a replica and waits for a turn. Canceling the token leaves the queue.</summary>
    public static ValueTask<AdmissionResult> EnterAsync(
        this Dispatcher dispatcher, InferenceRequest request, in RequestEstimate estimate, Constraints constraints, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromResult(new AdmissionResult { Outcome = AdmissionOutcome.CanceledByClient });
        }
        // Mostly there is room and nobody waits.
        if (dispatcher.TryPass(request, estimate, constraints) is { } passed)
        {
            return ValueTask.FromResult(passed);
        }
        var turn = new Turn();
        turn.Follow(dispatcher.Enter(request, estimate, constraints, turn.Decide), cancellationToken);
        return turn.Result();
    }
}
