namespace Gateway.Simulation;

/// <summary>
/// One engine as a step machine without clock or threads: continuous batching with chunked prefill, KV blocks, prefix cache and preemption by recomputation.
/// A driver calls <see cref="BeginStep"/>, lets that much time pass (real or virtual), then <see cref="EndStep"/>. Deterministic; not thread-safe.
/// </summary>
/// <remarks>
/// The scheduler is that of vLLM V1: running requests first, in the order of admission; waiting ones only in a step that preempted nobody, and never past a
/// head that does not fit. A waiting urgent request does not preempt, eviction of cached blocks ignores priority, and a block is found from the moment it is
/// scheduled: two prompts of one step share their beginning (its <c>allocate_slots</c>; each layer writes before it reads), as there.
/// </remarks>
public sealed class EngineModel
{
    private readonly EngineProfile _profile;
    private readonly SchedulingPolicy _policy;
    private readonly StepTime _stepTime;
    private readonly KvCache _kv;
    private readonly WaitingRequests _waiting;
    private readonly RunningRequests _running;
    private readonly EngineToken[] _tokens;
    private readonly Stack<Sequence> _spare = new();
    private Sequence[] _byHandle = [];
    private int _handles;
    private int _tokenCount;
    private long _arrivals;
    private long _returns;
    private bool _isStepping;
    private long _preemptions;
    private long _prefixQueryTokens;
    private long _prefixHitTokens;
    private long _steps;
    private long _stepTokens;
    private long _promptTokens;
    private long _generatedTokens;

    public EngineModel(EngineProfile profile, SchedulingPolicy policy = SchedulingPolicy.Fcfs)
    {
        _profile = profile;
        _policy = policy;
        _stepTime = new StepTime(profile);
        _kv = new KvCache(profile);
        _waiting = new WaitingRequests(policy == SchedulingPolicy.Priority);
        _running = new RunningRequests(profile.MaxSequences);
        _tokens = new EngineToken[profile.MaxSequences];
    }

    public EngineProfile Profile => _profile;

    /// <summary>Whether a step has begun and not ended.</summary>
    public bool IsStepping => _isStepping;

    public EngineCounters Counters => new()
    {
        Running = _running.Count,
        Waiting = _waiting.Count,
        UsedBlocks = _kv.TotalBlocks - _kv.FreeBlocks,
        TotalBlocks = _kv.TotalBlocks,
        Preemptions = _preemptions,
        PrefixQueryTokens = _prefixQueryTokens,
        PrefixHitTokens = _prefixHitTokens,
        Steps = _steps,
        StepTokens = _stepTokens,
        PromptTokens = _promptTokens,
        GeneratedTokens = _generatedTokens,
    };

    /// <summary>Whether a request could ever run here: its peak fits the KV room of an otherwise empty engine.</summary>
    public bool Fits(int promptTokens, int outputTokens) => _kv.BlocksFor((long)promptTokens + Math.Max(0, outputTokens - 1)) <= _kv.TotalBlocks;

    /// <summary>Puts a request into the waiting line; it is looked at when the next step begins.</summary>
    /// <returns>A handle, valid until the request has finished or was cancelled.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An empty prompt, a negative output, or a request that <see cref="Fits"/> refuses.</exception>
    public int Submit(in EngineRequest request)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(request.PromptTokens, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(request.OutputTokens);
        if (!Fits(request.PromptTokens, request.OutputTokens))
        {
            throw new ArgumentOutOfRangeException(nameof(request), "The request needs more KV blocks than the engine has.");
        }

        var sequence = _spare.Count > 0 ? _spare.Pop() : NewSequence();
        sequence.Start(request, ++_arrivals);
        _waiting.Add(sequence);
        return sequence.Handle;
    }

    /// <summary>Takes a request out, whether it waits or runs; its blocks are free at once, the step in progress keeps its duration.</summary>
    public void Cancel(int handle)
    {
        var sequence = _byHandle[handle];
        if (sequence.WaitingSlot != Sequence.NotWaiting)
        {
            _waiting.Remove(sequence);
            _spare.Push(sequence);
        }
        else if (sequence.IsRunning)
        {
            _running.Remove(sequence);
            _kv.Release(sequence);
            _spare.Push(sequence);
        }
    }

    /// <summary>Decides what the next step computes.</summary>
    /// <returns>How long the step takes; zero when there is nothing to do, and then no step has begun.</returns>
    public TimeSpan BeginStep()
    {
        if (_isStepping)
        {
            throw new InvalidOperationException("The step before has not ended.");
        }

        var budget = _profile.MaxBatchedTokens;
        if (ScheduleRunning(ref budget))
        {
            Admit(ref budget);
        }

        var load = _running.Scheduled();
        if (load.Tokens == 0)
        {
            return TimeSpan.Zero;
        }

        _isStepping = true;
        _steps++;
        _stepTokens += load.Tokens;
        return TimeSpan.FromMilliseconds(_stepTime.Milliseconds(load));
    }

    /// <summary>Ends the step that began last.</summary>
    /// <returns>What each request got, in the order of admission; the span is overwritten by the next step.</returns>
    public ReadOnlySpan<EngineToken> EndStep()
    {
        if (!_isStepping)
        {
            throw new InvalidOperationException("No step has begun.");
        }

        _isStepping = false;
        _tokenCount = 0;
        var anyEnded = false;
        for (var index = 0; index < _running.Count; index++)
        {
            var sequence = _running[index];
            if (Advance(sequence))
            {
                _kv.Release(sequence);
                sequence.IsRunning = false;
                _spare.Push(sequence);
                anyEnded = true;
            }
        }

        if (anyEnded)
        {
            _running.DropEnded();
        }

        return _tokens.AsSpan(0, _tokenCount);
    }

    /// <returns>Whether nobody was preempted, so that waiting requests may be looked at.</returns>
    private bool ScheduleRunning(ref int budget)
    {
        var nobodyPreempted = true;
        for (var index = 0; index < _running.Count && budget > 0; index++)
        {
            var sequence = _running[index];
            var tokens = Math.Min(sequence.Known - sequence.Computed, budget);
            var missing = _kv.Missing(sequence, sequence.Computed + tokens);
            while (missing > _kv.FreeBlocks && sequence.IsRunning)
            {
                nobodyPreempted = false;
                var victim = _running.VictimIndex(_policy == SchedulingPolicy.Priority);
                budget += _running[victim].Scheduled;
                Preempt(victim);
                index -= victim <= index ? 1 : 0;
            }

            // A sequence that was preempted for lack of room does not end the loop: others may still fit, and a step that computes nothing would look like an idle engine.
            if (sequence.IsRunning)
            {
                _kv.Take(sequence, missing);
                sequence.Scheduled = tokens;
                budget -= tokens;
            }
        }

        // Only after all rooms are settled: a sequence that was preempted in this step computes nothing.
        for (var index = 0; index < _running.Count; index++)
        {
            _kv.NameFullBlocks(_running[index]);
        }

        return nobodyPreempted;
    }

    private void Preempt(int index)
    {
        var sequence = _running[index];
        _running.RemoveAt(index);
        _kv.Release(sequence);
        sequence.Order = _policy == SchedulingPolicy.Fcfs ? --_returns : sequence.Arrival;
        _waiting.Add(sequence);
        _preemptions++;
    }

    private void Admit(ref int budget)
    {
        while (budget > 0 && !_running.IsFull && _waiting.Head is { } sequence)
        {
            var hits = _kv.FindPrefix(sequence, out var freeHits);
            var tokens = Math.Min(sequence.Known - (hits * _profile.BlockTokens), budget);
            var end = (hits * _profile.BlockTokens) + tokens;
            var needed = _kv.BlocksFor(_profile.ReservesFullPrompt ? sequence.Known : end) - hits;
            if (needed > _kv.FreeBlocks - freeHits)
            {
                return;
            }

            _waiting.Remove(sequence);
            _kv.SharePrefix(sequence, hits);
            _kv.Take(sequence, _kv.Missing(sequence, end));
            sequence.Scheduled = tokens;
            _kv.NameFullBlocks(sequence);
            budget -= tokens;
            _running.Add(sequence);
            CountFirstAdmission(sequence);
        }
    }

    private void CountFirstAdmission(Sequence sequence)
    {
        if (sequence.WasAdmitted)
        {
            return;
        }

        sequence.WasAdmitted = true;
        sequence.CachedTokens = sequence.Computed;
        _prefixQueryTokens += _profile.CachesPrefixes ? sequence.Request.PromptTokens : 0;
        _prefixHitTokens += sequence.Computed;
    }

    /// <returns>Whether the request is done.</returns>
    private bool Advance(Sequence sequence)
    {
        sequence.Computed += sequence.Scheduled;
        if (sequence.Scheduled == 0)
        {
            return false;
        }

        sequence.Scheduled = 0;
        if (sequence.Computed < sequence.Known)
        {
            return false;
        }

        if (sequence.Generated == 0)
        {
            _promptTokens += sequence.Request.PromptTokens;
        }

        if (sequence.Request.OutputTokens > 0)
        {
            sequence.Generated++;
            _generatedTokens++;
        }

        var isFinished = sequence.Generated == sequence.Request.OutputTokens;
        _tokens[_tokenCount++] = new EngineToken(sequence.Handle, sequence.Generated, isFinished, sequence.CachedTokens);
        return isFinished;
    }

    private Sequence NewSequence()
    {
        if (_handles == _byHandle.Length)
        {
            Array.Resize(ref _byHandle, Math.Max(16, _handles * 2));
        }

        return _byHandle[_handles] = new Sequence(_handles++);
    }
}
