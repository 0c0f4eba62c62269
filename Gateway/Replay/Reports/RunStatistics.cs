using Gateway.Requests;

namespace Gateway.Replay.Reports;

/// <summary>
/// Turns what a run measures into its figures. Memory is bounded by clients and replicas, not by requests: nothing is kept per request.
/// One run, one thread.
/// </summary>
/// <param name="slo">What counts as good.</param>
public sealed class RunStatistics(SloLimits slo) : IRunObserver
{
    private const int CdfPoints = 160;

    private readonly LatencyHistogram _firstToken = new();
    private readonly LatencyHistogram _perToken = new();
    private readonly LatencyHistogram _endToEnd = new();
    private readonly LatencyHistogram _queueWait = new();
    private readonly LatencyHistogram _normalized = new();
    private readonly SortedDictionary<PriorityClass, (LatencyHistogram FirstToken, LatencyHistogram EndToEnd)> _classes = [];
    private readonly Dictionary<PriorityClass, (long Requests, long Good)> _goodOfClass = [];
    private readonly ClientTally _clients = new();
    private readonly FleetTally _fleet = new();
    private readonly RunTimeline _timeline = new();
    private TimeSpan _duration;
    private TimeSpan _lastEnd;
    private bool _ended;
    private long _decisions;
    private long _completed;
    private long _refused;
    private long _tooLarge;
    private long _failed;
    private long _inputTokens;
    private long _outputTokens;
    private long _cachedTokens;
    private long _estimated;
    private long _covered;
    private double _absoluteError;
    private bool _hasSlo = slo.HasAny;

    /// <inheritdoc/>
    public void OnRequest(in RequestResult result)
    {
        _hasSlo |= result.TimeToFirstTokenSlo is not null;
        CountForClass(result);
        switch (result.Outcome)
        {
            case ReplayOutcome.Refused:
                _refused++;
                return;
            case ReplayOutcome.TooLarge:
                _tooLarge++;
                return;
            case ReplayOutcome.Failed:
                _failed++;
                return;
            default:
                AddCompleted(result);
                return;
        }
    }

    /// <inheritdoc/>
    public void OnSample(in ReplicaSample sample)
    {
        _fleet.Add(sample);
        _timeline.AddReplica(sample);
    }

    /// <inheritdoc/>
    public void OnQueue(in QueueSample sample)
    {
        _fleet.Add(sample);
        _timeline.AddQueue(sample);
    }

    /// <inheritdoc/>
    public void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines)
    {
        _duration = duration;
        _decisions = decisions;
        _fleet.Close(duration, engines);
        _ended = true;
    }

    /// <summary>The figures so far; before the run's end the duration is the last answer's end.</summary>
    public RunSummary Summarize()
    {
        var seconds = (_ended ? _duration : _lastEnd).TotalSeconds;
        var good = _goodOfClass.Values.Sum(row => row.Good);
        return new RunSummary
        {
            DurationSeconds = seconds,
            Completed = _completed,
            Refused = _refused,
            TooLarge = _tooLarge,
            Failed = _failed,
            TimeToFirstToken = LatencySummary.Of(_firstToken),
            TimePerOutputToken = LatencySummary.Of(_perToken),
            EndToEnd = LatencySummary.Of(_endToEnd),
            QueueWait = LatencySummary.Of(_queueWait),
            NormalizedLatency = LatencySummary.Of(_normalized),
            RequestsPerSecond = PerSecond(_completed),
            OutputTokensPerSecond = PerSecond(_outputTokens),
            TotalTokensPerSecond = PerSecond(_inputTokens + _outputTokens),
            Goodput = _hasSlo ? PerSecond(good) : null,
            GoodShare = _hasSlo ? Share(good, _completed + _refused + _tooLarge + _failed) : null,
            Preemptions = _fleet.Preemptions,
            EngineSteps = _fleet.Steps,
            KvUsageMean = _fleet.KvUsageMean,
            KvUsageMax = _fleet.KvUsageMax,
            PrefixHitShare = _fleet.PrefixHitShare,
            CachedTokenShare = Share(_cachedTokens, _inputTokens),
            MaxQueueDepth = _fleet.MaxQueueDepth,
            MaxRunning = _fleet.MaxRunning,
            MaxWaiting = _fleet.MaxWaiting,
            Fairness = _clients.Fairness(),
            Imbalance = _fleet.Imbalance,
            Classes = [.. _classes.Select(row => new ClassSummary(row.Key, LatencySummary.Of(row.Value.FirstToken), LatencySummary.Of(row.Value.EndToEnd))
            {
                Goodput = _hasSlo ? PerSecond(_goodOfClass[row.Key].Good) : null,
                GoodShare = _hasSlo ? Share(_goodOfClass[row.Key].Good, _goodOfClass[row.Key].Requests) : null,
            })],
            Decisions = _decisions,
            EstimateError = _estimated > 0 ? new EstimateError(_absoluteError / _estimated, (double)_covered / _estimated) : null,
            TimeToFirstTokenCdf = _firstToken.Cdf(CdfPoints),
            TimePerOutputTokenCdf = _perToken.Cdf(CdfPoints),
            EndToEndCdf = _endToEnd.Cdf(CdfPoints),
            Timeline = _timeline.Series(),
        };

        double PerSecond(long amount) => seconds > 0 ? amount / seconds : 0;
    }

    private static double? Share(long part, long whole) => whole > 0 ? (double)part / whole : null;

    private void AddCompleted(in RequestResult result)
    {
        var firstToken = result.TimeToFirstToken.TotalSeconds;
        var endToEnd = result.EndToEnd.TotalSeconds;
        _completed++;
        _inputTokens += result.InputTokens;
        _outputTokens += result.OutputTokens;
        _cachedTokens += result.CachedTokens;
        _firstToken.Add(firstToken);
        _endToEnd.Add(endToEnd);
        _queueWait.Add(result.QueueWait.TotalSeconds);
        if (result.OutputTokens > 0)
        {
            _normalized.Add(endToEnd / result.OutputTokens);
        }
        if (result.TimePerOutputTokenSeconds is { } perToken)
        {
            _perToken.Add(perToken);
        }
        AddToClass(result.Priority, firstToken, endToEnd);
        AddEstimate(result);
        _clients.Add(result);
        var end = result.Arrival + result.EndToEnd;
        _lastEnd = end > _lastEnd ? end : _lastEnd;
        _timeline.AddCompleted(end);
    }

    private void CountForClass(in RequestResult result)
    {
        var (requests, good) = _goodOfClass.GetValueOrDefault(result.Priority);
        _goodOfClass[result.Priority] = (requests + 1, good + (slo.IsMetBy(result) ? 1 : 0));
    }

    private void AddToClass(PriorityClass priority, double firstToken, double endToEnd)
    {
        if (!_classes.TryGetValue(priority, out var row))
        {
            row = (new LatencyHistogram(), new LatencyHistogram());
            _classes[priority] = row;
        }
        row.FirstToken.Add(firstToken);
        row.EndToEnd.Add(endToEnd);
    }

    private void AddEstimate(in RequestResult result)
    {
        if (!(result.EstimatedOutputTokens > 0))
        {
            return;
        }
        _estimated++;
        _absoluteError += Math.Abs(result.OutputTokens - result.EstimatedOutputTokens);
        _covered += result.OutputTokens <= result.EstimatedOutputTokens ? 1 : 0;
    }
}
