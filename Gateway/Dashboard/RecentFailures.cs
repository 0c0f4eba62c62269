using Gateway.Learning;

namespace Gateway.Dashboard;

/// <summary>Requests that failed or were refused within the last minute, by model. Thread-safe; bounded by the models that are configured.</summary>
public sealed class RecentFailures(TimeProvider time) : ICompletionObserver
{
    private const int Seconds = 60;

    private readonly Lock _gate = new();
    private readonly long _begun = time.GetTimestamp();
    private readonly Dictionary<string, (long Second, int Count)[]> _models = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public void OnCompleted(CompletedRequest completed)
    {
        if (completed.Outcome is not (RequestOutcome.Failed or RequestOutcome.Refused))
        {
            return;
        }
        // Of no model: refused before it was read.
        var model = completed.Model ?? "";
        var second = Second();
        lock (_gate)
        {
            if (!_models.TryGetValue(model, out var slots))
            {
                _models[model] = slots = new (long, int)[Seconds];
            }
            ref var slot = ref slots[second % Seconds];
            slot = (second, slot.Second == second ? slot.Count + 1 : 1);
        }
    }

    /// <param name="model">A pool's name; null: all, and those of no model.</param>
    public int LastMinute(string? model)
    {
        var oldest = Second() - Seconds + 1;
        lock (_gate)
        {
            return _models.Where(one => model is null || one.Key == model).SelectMany(one => one.Value).Where(slot => slot.Second >= oldest).Sum(slot => slot.Count);
        }
    }

    private long Second() => (long)time.GetElapsedTime(_begun).TotalSeconds;
}
