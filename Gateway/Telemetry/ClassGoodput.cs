using System.Collections.Concurrent;
using Gateway.Estimation;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Requests;

namespace Gateway.Telemetry;

/// <summary>How one class of a model fared against its targets.</summary>
/// <param name="Requests">Streams with a target, refused and failed ones included, since the start.</param>
/// <param name="Good">Of them, those that met every target.</param>
/// <param name="PerSecond">Good ones per second, over the last minute.</param>
public readonly record struct GoodputReading(long Requests, long Good, double PerSecond);

/// <summary>Counts which streams met the targets of their class, per model: a plain answer shows neither its first token nor the next. Thread-safe; bounded by the number of models ever configured.</summary>
/// <param name="classes">The targets in force.</param>
/// <param name="meters">Where they are counted as well.</param>
/// <param name="time">The clock.</param>
public sealed class ClassGoodput(Func<ClassesOptions> classes, GatewayMeters meters, TimeProvider time) : ICompletionObserver
{
    private readonly ConcurrentDictionary<(string Model, PriorityClass Priority), Tally> _tallies = new();

    public void OnCompleted(CompletedRequest completed)
    {
        if (completed is not { Model: { } model, Request: { Route.Generates: true, Body.IsStreaming: true } request, Outcome: RequestOutcome.Success or RequestOutcome.Refused or RequestOutcome.Failed })
        {
            return;
        }
        var targets = classes();
        var first = targets.TtftTargetOf(request);
        var between = targets.Of(request.Priority).InterTokenTarget;
        if (first is not null || between is not null)
        {
            var isGood = IsGood(completed, first, between);
            _tallies.GetOrAdd((model, request.Priority), _ => new Tally(time)).Add(isGood);
            meters.OnTargets(model, request.Priority, isGood);
        }
    }

    /// <summary>Null where no request of that class had a target.</summary>
    public GoodputReading? Read(string model, PriorityClass priority) => _tallies.TryGetValue((model, priority), out var tally) ? tally.Read() : null;

    private static bool IsGood(CompletedRequest completed, TimeSpan? first, TimeSpan? between) =>
        completed.Outcome == RequestOutcome.Success
        && (first is null || completed.TimeToFirstToken <= first)
        && (between is null || completed.StreamDuration is not { } stream || TokensOfOne(completed) < 2 || stream / (TokensOfOne(completed) - 1) <= between);

    // Several choices grow side by side.
    private static int TokensOfOne(CompletedRequest completed) => completed.OutputTokens / RequestEstimator.SequencesOf(completed.Request!.Body);

    private sealed class Tally(TimeProvider time)
    {
        private readonly Lock _gate = new();
        private readonly RecentCount _recent = new(time, slots: 10);
        private long _requests;
        private long _good;

        public void Add(bool isGood)
        {
            lock (_gate)
            {
                _requests++;
                _good += isGood ? 1 : 0;
                _recent.Add(isGood ? 1 : 0);
            }
        }

        public GoodputReading Read()
        {
            lock (_gate)
            {
                return new GoodputReading(_requests, _good, _recent.Sum() / 60.0);
            }
        }
    }
}
