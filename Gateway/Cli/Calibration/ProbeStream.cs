using Gateway.Replay.Calibration;

namespace Gateway.Cli.Calibration;

/// <summary>One probe on its way: token times as they come, and who waits for them. Written by its reader; thread-safe.</summary>
internal sealed class ProbeStream
{
    private readonly Lock _gate = new();
    private readonly List<double> _tokenTimes = [];
    private readonly List<(int Count, TaskCompletionSource Reached)> _waiting = [];
    private bool _isEnded;

    public double SentAt { get; set; }

    public int? PromptTokens { get; set; }

    public int? CachedTokens { get; set; }

    public int? OutputTokens { get; set; }

    /// <summary>Why it failed; null while it did not.</summary>
    public string? Problem { get; set; }

    /// <summary>The refusal's status; 0 where there was none.</summary>
    public int Status { get; set; }

    public int TokenCount
    {
        get
        {
            lock (_gate)
            {
                return _tokenTimes.Count;
            }
        }
    }

    /// <summary>Done when that many tokens have come, or no more will.</summary>
    public Task TokensAsync(int count)
    {
        lock (_gate)
        {
            if (_isEnded || _tokenTimes.Count >= count)
            {
                return Task.CompletedTask;
            }

            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((count, reached));
            return reached.Task;
        }
    }

    public void Add(double at)
    {
        lock (_gate)
        {
            _tokenTimes.Add(at);
            Wake();
        }
    }

    public void End()
    {
        lock (_gate)
        {
            _isEnded = true;
            Wake();
        }
    }

    /// <summary>What was measured; null where the answer failed or had no token.</summary>
    public StreamTiming? ToTiming(int guessedPromptTokens)
    {
        lock (_gate)
        {
            // Some engines end with an empty frame after the last token.
            var tokens = _tokenTimes.Count == OutputTokens + 1 ? _tokenTimes.Count - 1 : _tokenTimes.Count;
            return Problem is null && tokens > 0
                ? new StreamTiming(SentAt, [.. _tokenTimes.Take(tokens)], PromptTokens ?? guessedPromptTokens, CachedTokens ?? 0)
                : null;
        }
    }

    private void Wake()
    {
        for (var index = _waiting.Count - 1; index >= 0; index--)
        {
            if (_isEnded || _tokenTimes.Count >= _waiting[index].Count)
            {
                _waiting[index].Reached.TrySetResult();
                _waiting.RemoveAt(index);
            }
        }
    }
}
