using Gateway.Replicas.Rates;

namespace Gateway.Queueing.Shadows;

/// <summary>One engine as a flow, for forecasts: prompts are computed one after the other while nobody decodes, then all that run grow at one pace.</summary>
/// <remarks>
/// Continuous batching without its steps: what joins, ends or finds no block is an event, between two of them all rates are constant. When the KV room is
/// full the newest is computed again later, as vLLM preempts, but for what others have not grown over by then. Not thread-safe; driven by its world in the order of <see cref="NextAt"/>.
/// </remarks>
internal sealed class FluidEngine(long roomTokens, int mostSequences)
{
    private const double LeastSeconds = 1e-7;

    private readonly LinkedList<FluidAnswer> _waiting = new();
    private readonly List<FluidAnswer> _running = [];
    private double _now;
    private double _tokenClock;
    private double _heldTokens;
    private double _grownTokens;
    private int _sequences;
    private FluidAnswer? _nextToEnd;

    /// <summary>How fast the engine is.</summary>
    public ServiceRates Rates { get; set; } = ServiceRates.Initial;

    /// <summary>When something happens next; null: nothing does.</summary>
    public TimeSpan? NextAt { get; private set; }

    public int Running => _running.Count;

    public int Waiting => _waiting.Count;

    /// <summary>Times that an answer lost its room and was computed again.</summary>
    public long Preemptions { get; private set; }

    /// <summary>What runs, the oldest first.</summary>
    public IReadOnlyList<FluidAnswer> Answers => _running;

    /// <summary>Tokens of each sequence of an answer that runs.</summary>
    public double GeneratedOf(FluidAnswer answer) => answer.JoinedAt is { } joined ? answer.Generated + _tokenClock - joined : answer.Generated;

    /// <summary>Takes one more; what it needs is computed after what was sent before.</summary>
    public void Submit(FluidAnswer answer, TimeSpan now)
    {
        Drift(now);
        answer.PrefillLeft = Math.Max(1, answer.PromptTokens - answer.CachedTokens);
        _waiting.AddLast(answer);
        Settle();
    }

    /// <summary>Lets time pass in which nothing happens.</summary>
    public void Drift(TimeSpan now)
    {
        var seconds = now.TotalSeconds - _now;
        _now = now.TotalSeconds;
        if (seconds <= 0)
        {
            return;
        }
        if (Computing() is { } head)
        {
            head.PrefillLeft = Math.Max(0, head.PrefillLeft - (seconds / PrefillSecondsPerToken()));
        }
        else if (_sequences > 0)
        {
            var tokens = seconds / StepSeconds();
            _tokenClock += tokens;
            _heldTokens += tokens * _sequences;
            _grownTokens += tokens * _sequences;
        }
    }

    /// <summary>Lets happen what is due at <see cref="NextAt"/>.</summary>
    /// <returns>Whose first token came or who ended; null: somebody lost its room.</returns>
    public (FluidAnswer Answer, bool IsFinished)? Step(TimeSpan now)
    {
        Drift(now);
        (FluidAnswer, bool)? happened;
        if (Computing() is { } head)
        {
            head.PrefillLeft = 0;
            head.JoinedAt = _tokenClock;
            if (head.Generated == 0)
            {
                head.Generated = 1;
                _heldTokens += head.Sequences;
            }
            happened = (head, head.Generated >= head.OutputTokens);
        }
        else if (_nextToEnd is { } ended)
        {
            (ended.Generated, ended.JoinedAt) = (ended.OutputTokens, null);
            happened = (ended, true);
        }
        else
        {
            Preempt();
            happened = null;
        }
        if (happened is ({ } answer, true))
        {
            Remove(answer);
        }
        // Who just lost its room does not get it back before the others have grown into it.
        Settle(admits: happened is not null);
        return happened;
    }

    /// <summary>Looks again after the rates changed.</summary>
    /// <param name="admits">Whether those that wait are looked at, too.</param>
    public void Settle(bool admits = true)
    {
        while (admits && _waiting.First is { } first && HasRoomFor(first.Value))
        {
            _waiting.RemoveFirst();
            Start(first.Value);
        }
        NextAt = Next() is { } seconds ? TimeSpan.FromTicks((long)Math.Ceiling((_now + seconds) * TimeSpan.TicksPerSecond)) : null;
    }

    // An empty engine takes whatever comes.
    private bool HasRoomFor(FluidAnswer answer) =>
        _running.Count == 0 || (_heldTokens + HeldBy(answer) <= roomTokens && _sequences + answer.Sequences <= mostSequences);

    private void Start(FluidAnswer answer)
    {
        _running.Add(answer);
        _heldTokens += HeldBy(answer);
        _sequences += answer.Sequences;
        // Its blocks were the only free ones of a full engine, and are found again while their prompt has names and nobody grew over them.
        if (answer.PreemptedAt is { } lost && answer.Request.Prefix.Blocks.Length > 0)
        {
            answer.PrefillLeft = Math.Clamp(_grownTokens - lost, 1, answer.PrefillLeft);
        }
    }

    private double? Next()
    {
        _nextToEnd = null;
        if (Computing() is { } head)
        {
            return head.PrefillLeft * PrefillSecondsPerToken();
        }
        if (_running.Count == 0)
        {
            return null;
        }
        var least = double.PositiveInfinity;
        foreach (var answer in _running)
        {
            var left = answer.OutputTokens - GeneratedOf(answer);
            if (left < least)
            {
                (least, _nextToEnd) = (left, answer);
            }
        }
        var untilFull = Math.Max(0, (roomTokens - _heldTokens) / _sequences);
        if (_running.Count > 1 && untilFull < least)
        {
            (least, _nextToEnd) = (untilFull, null);
        }
        return Math.Max(0, least) * StepSeconds();
    }

    private FluidAnswer? Computing()
    {
        foreach (var answer in _running)
        {
            if (answer.JoinedAt is null)
            {
                return answer;
            }
        }
        return null;
    }

    private void Preempt()
    {
        var newest = _running[^1];
        var generated = GeneratedOf(newest);
        Remove(newest);
        (newest.Generated, newest.JoinedAt) = (generated, null);
        newest.PrefillLeft = Math.Max(1, newest.OwnPromptTokens + (generated * newest.Sequences));
        newest.PreemptedAt = _grownTokens;
        _waiting.AddFirst(newest);
        Preemptions++;
    }

    private void Remove(FluidAnswer answer)
    {
        _heldTokens -= HeldBy(answer);
        _sequences -= answer.Sequences;
        _running.Remove(answer);
        _heldTokens = _running.Count == 0 ? 0 : Math.Max(0, _heldTokens);
    }

    private double HeldBy(FluidAnswer answer) => answer.OwnPromptTokens + (GeneratedOf(answer) * answer.Sequences);

    // The coefficients of the learned lines are right together at the loads that were seen, and that is what is forecast.
    private double PrefillSecondsPerToken() => Math.Max(LeastSeconds, Rates.PrefillSecondsPerToken);

    private double StepSeconds() => Math.Max(LeastSeconds, Rates.StepSeconds(_sequences));
}
