using System.Threading.Tasks.Sources;

namespace Gateway.Simulation.Serving;

/// <summary>One sequence that the engine generates for a request. The loop publishes progress, the request's handler reads it, both under the group's lock.</summary>
internal sealed class Generation(GenerationGroup group, EngineRequest request, ComposedAnswer answer, long arrivedAt)
{
    public GenerationGroup Group { get; } = group;

    public EngineRequest Request { get; } = request;

    /// <summary>UTF-8 of each token; one per output token of the request.</summary>
    public byte[][] Pieces { get; } = answer.Pieces;

    public string FinishReason { get; } = answer.FinishReason;

    /// <summary>The stop string that ends the answer; null when none does.</summary>
    public string? StoppedBy { get; } = answer.StoppedBy;

    public long ArrivedAt { get; } = arrivedAt;

    /// <summary>When the last token came; the loop's own note.</summary>
    public long LastTokenAt { get; set; }

    /// <summary>The model's handle while the engine holds the sequence; the loop's own note.</summary>
    public int Handle { get; set; } = -1;

    public int Produced { get; set; }

    public bool IsFinished { get; set; }

    public int CachedTokens { get; set; }
}

/// <summary>The sequences of one request, and the signal by which its only reader waits for progress without allocating.</summary>
internal sealed class GenerationGroup : IValueTaskSource
{
    private readonly Lock _gate = new();
    private ManualResetValueTaskSourceCore<bool> _signal = new() { RunContinuationsAsynchronously = true };
    private bool _isWaiting;
    private bool _hasNews;

    public List<Generation> Generations { get; } = [];

    /// <summary>Whether the reader wants to hear of every token, or only of the ends of sequences.</summary>
    public bool IsStreamed { get; set; }

    /// <summary>Whether the engine stopped or the client left: nothing more will come.</summary>
    public bool IsAbandoned { get; private set; }

    /// <summary>Whether usage says how much of the prompt was cached.</summary>
    public bool TellsCachedTokens { get; init; } = true;

    /// <summary>Cached tokens as usage says them; null: not at all.</summary>
    public int? ToldCachedTokens => TellsCachedTokens ? CachedTokens : null;

    public int CachedTokens => Generations.Count == 0 ? 0 : Generations[0].CachedTokens;

    public int Produced => Generations.Sum(generation => generation.Produced);

    /// <summary>Waits until something changed since the last call. One reader at a time.</summary>
    public ValueTask NewsAsync()
    {
        lock (_gate)
        {
            if (_hasNews || IsAbandoned)
            {
                _hasNews = false;
                return ValueTask.CompletedTask;
            }

            _signal.Reset();
            _isWaiting = true;
            return new ValueTask(this, _signal.Version);
        }
    }

    public (int Produced, bool IsFinished) Progress(Generation generation)
    {
        lock (_gate)
        {
            return (generation.Produced, generation.IsFinished);
        }
    }

    public void Publish(Generation generation, in EngineToken token)
    {
        lock (_gate)
        {
            generation.Produced = token.Generated;
            generation.CachedTokens = token.CachedTokens;
            generation.IsFinished = token.IsFinished;
        }

        if (IsStreamed || token.IsFinished)
        {
            Wake();
        }
    }

    public void Abandon()
    {
        lock (_gate)
        {
            IsAbandoned = true;
        }

        Wake();
    }

    void IValueTaskSource.GetResult(short token) => _signal.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _signal.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _signal.OnCompleted(continuation, state, token, flags);

    private void Wake()
    {
        lock (_gate)
        {
            if (!_isWaiting)
            {
                _hasNews = true;
                return;
            }

            _isWaiting = false;
            _hasNews = false;
        }

        _signal.SetResult(true);
    }
}
