using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Replicas.Rates;

namespace Gateway.Queueing;

/// <summary>How much work comes to a pool, in replicas that it keeps busy, and how much will soon. Fed at arrivals, so that it is ahead of queues and room. Thread-safe.</summary>
/// <remarks>
/// A request's work is what it takes of one replica that is full: its prefill, which stops everybody, and its share of the room for as long as it decodes there.
/// A line is laid through the work of the last two minutes; its slope counts as far as it is beyond what chance does.
/// </remarks>
/// <param name="pool">The replicas.</param>
/// <param name="time">The clock.</param>
/// <param name="windowRequests">Requests in flight that the rule in force allows a replica; null, or returning it: the rule counts no requests.</param>
public sealed class WorkDemand(Pool pool, TimeProvider time, Func<int?>? windowRequests = null)
{
    /// <summary>How far the slope is followed: about what a replica takes to load its model.</summary>
    public static readonly TimeSpan Horizon = TimeSpan.FromSeconds(60);

    /// <summary>How long a wish for more replicas lasts once its reason is gone.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>What is over sooner is a burst.</summary>
    public static readonly TimeSpan Burst = TimeSpan.FromSeconds(30);

    private const int Spans = 24;
    private const double SpanSeconds = 5;

    // Twice its standard error: chance alone gives more in one of forty.
    private const double SlopeErrors = 2;

    // Fewer spans make no line.
    private const int LeastSpans = 8;
    private const double HitPace = 0.01;
    private const double UsableRoom = 0.97;

    private readonly Lock _gate = new();
    private readonly long _startedAt = time.GetTimestamp();
    private readonly double[] _work = new double[Spans];
    private readonly RecentValues _needs = new(Burst);
    private readonly RecentValues _wishes = new(Patience);
    private long? _firstSpan;
    private long _span;
    private double _hitShare;
    private TimeSpan _lookAgainAt;
    private (double? Room, double? Slots, ServiceRates Rates) _replica = (null, null, ServiceRates.Initial);

    /// <summary>A request came.</summary>
    public void OnArrived(in RequestEstimate estimate)
    {
        lock (_gate)
        {
            var now = time.GetElapsedTime(_startedAt);
            if (_lookAgainAt <= now)
            {
                LookLocked();
                _lookAgainAt = now + TimeSpan.FromSeconds(1);
            }
            RollLocked(now);
            _firstSpan ??= _span;
            _work[_span % Spans] += SecondsLocked(estimate) ?? 0;
        }
    }

    /// <summary>A request was placed: what of its prompt is believed to be cached there.</summary>
    public void OnPlaced(in RequestEstimate estimate, int prefixHitTokens)
    {
        lock (_gate)
        {
            _hitShare += HitPace * ((prefixHitTokens / (double)Math.Max(1, estimate.PromptTokens)) - _hitShare);
        }
    }

    /// <summary>Replicas that the work will keep busy at the horizon, were each filled to the brim; null: not known yet, or nothing is known of the room.</summary>
    public double? Forecast()
    {
        lock (_gate)
        {
            RollLocked(time.GetElapsedTime(_startedAt));
            if (_firstSpan is not { } first || _replica is (null, null, _))
            {
                return null;
            }
            // The span that has not ended says too little.
            var count = (int)Math.Min(Spans - 1, _span - first);
            Span<double> perSecond = stackalloc double[Spans];
            for (var i = 0; i < count; i++)
            {
                perSecond[i] = _work[(_span - count + i) % Spans] / SpanSeconds;
            }
            return count == 0 ? null : Ahead(perSecond[..count], SpanSeconds, Horizon.TotalSeconds);
        }
    }

    /// <summary>A replica with the room that the rule in force gives out there, in tokens or in requests.</summary>
    public ReplicaSnapshot RoomOf(Replica replica) => replica.Snapshot().Within(windowRequests?.Invoke());

    /// <summary>How many replicas to wish for: what is foreseen, or what there has been work for all the while, and the most of it lately. Bursts bring none, short lulls take none away.
    /// Null: nothing was noted yet.</summary>
    public int? Wish
    {
        get
        {
            lock (_gate)
            {
                return _wishes.Most;
            }
        }
    }

    /// <summary>Notes what is needed now. Due on a regular beat: what lies between two of them does not count.</summary>
    /// <param name="there">Replicas that the work which is there needs now.</param>
    /// <param name="coming">Replicas that the work to come will need.</param>
    public void Note(int there, int coming)
    {
        lock (_gate)
        {
            var now = time.GetElapsedTime(_startedAt);
            _needs.Add(now, there);
            _wishes.Add(now, Math.Max(coming, _needs.Least));
        }
    }

    /// <summary>The value that a noisy rising series will have, a time after its last span; of one that does not rise for certain, its mean.</summary>
    /// <param name="spans">One value per span, the oldest first; at least one.</param>
    /// <param name="spanSeconds">Length of a span.</param>
    /// <param name="aheadSeconds">How long after the last.</param>
    internal static double Ahead(ReadOnlySpan<double> spans, double spanSeconds, double aheadSeconds)
    {
        var (n, mean, middle) = (spans.Length, 0.0, (spans.Length - 1) / 2.0);
        foreach (var value in spans)
        {
            mean += value / n;
        }
        if (n < LeastSpans)
        {
            return mean;
        }
        var (spread, product, errors) = (0.0, 0.0, 0.0);
        for (var i = 0; i < n; i++)
        {
            spread += (i - middle) * (i - middle);
            product += (i - middle) * spans[i];
        }
        var slope = product / spread;
        for (var i = 0; i < n; i++)
        {
            var error = spans[i] - mean - (slope * (i - middle));
            errors += error * error;
        }
        var certain = Math.Max(0, slope - (SlopeErrors * Math.Sqrt(errors / (n - 2) / spread)));
        return mean + (certain * (middle + 0.5 + (aheadSeconds / spanSeconds)));
    }

    private double? SecondsLocked(in RequestEstimate estimate)
    {
        var (room, slots, rates) = _replica;
        if (room is null && slots is null)
        {
            return null;
        }
        var tokens = Math.Max(1, estimate.PromptTokens + estimate.OutputTokens);
        var batch = Math.Max(1, Math.Min(room * UsableRoom / tokens * estimate.Sequences ?? double.PositiveInfinity, slots ?? double.PositiveInfinity));
        var prefill = rates.PrefillSecondsPerToken * estimate.PromptTokens * (1 - _hitShare);
        return prefill + (estimate.OutputTokens / batch * rates.StepSeconds(batch));
    }

    private void LookLocked()
    {
        var (working, rooms, slots) = (0, 0, 0);
        var (prefill, step, sequence, room, slot) = (0.0, 0.0, 0.0, 0.0, 0.0);
        foreach (var replica in pool.Replicas)
        {
            var now = RoomOf(replica);
            if (!now.AcceptsWork)
            {
                continue;
            }
            working++;
            prefill += now.Rates.PrefillSecondsPerToken;
            step += now.Rates.StepBaseSeconds;
            sequence += now.Rates.StepSecondsPerSequence;
            (rooms, room) = now.CapacityTokens is { } capacity ? (rooms + 1, room + capacity) : (rooms, room);
            (slots, slot) = now.SlotLimit is { } limit ? (slots + 1, slot + limit) : (slots, slot);
        }
        if (working > 0)
        {
            var mean = ServiceRates.Initial with
            {
                PrefillSecondsPerToken = prefill / working,
                StepBaseSeconds = step / working,
                StepSecondsPerSequence = sequence / working,
            };
            _replica = (rooms > 0 ? room / rooms : null, slots > 0 ? slot / slots : null, mean);
        }
    }

    private void RollLocked(TimeSpan now)
    {
        var span = (long)(now.TotalSeconds / SpanSeconds);
        // What lies farther back than all spans is forgotten at once.
        for (var i = Math.Max(_span + 1, span - Spans + 1); i <= span; i++)
        {
            _work[i % Spans] = 0;
        }
        _span = Math.Max(_span, span);
    }

    /// <summary>What was told over a while. Not thread-safe.</summary>
    private sealed class RecentValues(TimeSpan span)
    {
        private readonly Queue<(TimeSpan At, int Value)> _values = new();

        /// <summary>Due only once there is a value.</summary>
        public int Least => _values.Min(value => value.Value);

        /// <summary>Null: there are none.</summary>
        public int? Most => _values.Count == 0 ? null : _values.Max(value => value.Value);

        public void Add(TimeSpan now, int value)
        {
            while (_values.TryPeek(out var oldest) && now - oldest.At > span)
            {
                _values.Dequeue();
            }
            _values.Enqueue((now, value));
        }
    }
}
