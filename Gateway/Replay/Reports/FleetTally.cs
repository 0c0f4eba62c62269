namespace Gateway.Replay.Reports;

/// <summary>What the replicas and the queue in front of them showed over a run. A sample holds until the next of its replica.</summary>
internal sealed class FleetTally
{
    private readonly List<Replica> _replicas = [];
    private IReadOnlyList<EngineTotals> _engines = [];

    public int MaxQueueDepth { get; private set; }

    public int MaxRunning { get; private set; }

    public int MaxWaiting { get; private set; }

    public double? KvUsageMax { get; private set; }

    public long Steps => _engines.Sum(engine => engine.Steps);

    public long Preemptions => _engines.Sum(engine => engine.Preemptions);

    public double? PrefixHitShare
    {
        get
        {
            var asked = _engines.Sum(engine => engine.PrefixQueryTokens);
            return asked > 0 ? (double)_engines.Sum(engine => engine.PrefixHitTokens) / asked : null;
        }
    }

    /// <summary>Mean over time and then over replicas; null without samples.</summary>
    public double? KvUsageMean
    {
        get
        {
            double sum = 0;
            var count = 0;
            foreach (var replica in _replicas)
            {
                if (replica.IsSeen)
                {
                    sum += replica.Mean;
                    count++;
                }
            }
            return count > 0 ? sum / count : null;
        }
    }

    public ReplicaImbalance? Imbalance
    {
        get
        {
            if (_engines.Count == 0)
            {
                return null;
            }
            var busy = _engines.Average(engine => engine.BusySeconds);
            var tokens = _engines.Average(engine => (double)engine.ProcessedTokens);
            var spread = Math.Sqrt(_engines.Average(engine => (engine.ProcessedTokens - tokens) * (engine.ProcessedTokens - tokens)));
            return new ReplicaImbalance(
                busy > 0 ? _engines.Max(engine => engine.BusySeconds) / busy : null,
                tokens > 0 ? spread / tokens : null);
        }
    }

    public void Add(in ReplicaSample sample)
    {
        while (_replicas.Count <= sample.ReplicaIndex)
        {
            _replicas.Add(new Replica());
        }
        _replicas[sample.ReplicaIndex].Add(sample.At, sample.KvUsage);
        MaxRunning = Math.Max(MaxRunning, sample.Running);
        MaxWaiting = Math.Max(MaxWaiting, sample.Waiting);
        KvUsageMax = Math.Max(KvUsageMax ?? 0, sample.KvUsage);
    }

    public void Add(in QueueSample sample) => MaxQueueDepth = Math.Max(MaxQueueDepth, sample.Waiting);

    /// <summary>The last samples hold until the end.</summary>
    public void Close(TimeSpan end, IReadOnlyList<EngineTotals> engines)
    {
        foreach (var replica in _replicas)
        {
            replica.HoldUntil(end);
        }
        _engines = engines;
    }

    private sealed class Replica
    {
        private TimeSpan _first;
        private TimeSpan _at;
        private double _usage;
        private double _usageSeconds;

        public bool IsSeen { get; private set; }

        public double Mean => _at > _first ? _usageSeconds / (_at - _first).TotalSeconds : _usage;

        public void Add(TimeSpan at, double usage)
        {
            if (!IsSeen)
            {
                IsSeen = true;
                _first = at;
                _at = at;
            }
            HoldUntil(at);
            _usage = usage;
        }

        public void HoldUntil(TimeSpan at)
        {
            if (IsSeen && at > _at)
            {
                _usageSeconds += _usage * (at - _at).TotalSeconds;
                _at = at;
            }
        }
    }
}
