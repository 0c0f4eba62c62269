using Gateway.Learning;
using Gateway.Telemetry;

namespace Gateway.Dashboard;

/// <summary>Requests that failed or were refused within the last minute, by model. Thread-safe; bounded by the models that are configured.</summary>
public sealed class RecentFailures(TimeProvider time) : ICompletionObserver
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, RecentCount> _models = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public void OnCompleted(CompletedRequest completed)
    {
        if (completed.Outcome is not (RequestOutcome.Failed or RequestOutcome.Refused))
        {
            return;
        }
        // Empty: refused before the model was known.
        var model = completed.Model ?? "";
        lock (_gate)
        {
            if (!_models.TryGetValue(model, out var count))
            {
                _models[model] = count = new RecentCount(time, slots: 60);
            }
            count.Add(1);
        }
    }

    /// <param name="model">A pool's name; null: all, and those of no model.</param>
    public long LastMinute(string? model)
    {
        lock (_gate)
        {
            return _models.Where(one => model is null || one.Key == model).Sum(one => one.Value.Sum());
        }
    }
}
