namespace Gateway.Simulation.Serving;

/// <summary>
/// Drives an <see cref="EngineModel"/> in real time: one loop, which alone touches the model. Others hand sequences in and out through an inbox that is read
/// before every step, so that a cancelled sequence is out of the next one.
/// </summary>
internal sealed class EngineLoop : IAsyncDisposable
{
    // Timers tick in milliseconds: shorter waits are added up and slept later, so that the pace is right in the long run.
    private static readonly TimeSpan ShortestSleep = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan MostLateness = TimeSpan.FromMilliseconds(50);

    private readonly EngineModel _model;
    private readonly EngineMetrics _metrics;
    private readonly double _speed;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private List<(Generation Generation, bool IsCancel)> _inbox = [];
    private List<(Generation Generation, bool IsCancel)> _reading = [];
    private Generation?[] _byHandle = [];
    private bool _isIdle;
    private bool _isStopped;

    public EngineLoop(EngineModel model, EngineMetrics metrics, double speed, TimeProvider time)
    {
        _model = model;
        _metrics = metrics;
        _speed = speed;
        _time = time;
        _running = Task.Run(RunAsync);
    }

    public void Submit(GenerationGroup group)
    {
        foreach (var generation in group.Generations)
        {
            Post(generation, isCancel: false);
        }
    }

    /// <summary>Takes a request's sequences out of the engine and wakes its reader; harmless when they have finished.</summary>
    public void Cancel(GenerationGroup group)
    {
        group.Abandon();
        foreach (var generation in group.Generations)
        {
            Post(generation, isCancel: true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _wake.Dispose();
        _stop.Dispose();
    }

    private void Post(Generation generation, bool isCancel)
    {
        lock (_gate)
        {
            if (_isStopped)
            {
                generation.Group.Abandon();
                return;
            }

            _inbox.Add((generation, isCancel));
            if (_isIdle)
            {
                _isIdle = false;
                _wake.Release();
            }
        }
    }

    private async Task RunAsync()
    {
        try
        {
            var due = _time.GetTimestamp();
            while (!_stop.IsCancellationRequested)
            {
                ReadInbox();
                var step = _model.BeginStep();
                _metrics.Publish(_model.Counters);
                if (step == TimeSpan.Zero)
                {
                    await IdleAsync();
                    due = _time.GetTimestamp();
                    continue;
                }

                due += (long)(step.TotalSeconds / _speed * _time.TimestampFrequency);
                due = await SleepUntilAsync(due);
                EndStep();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The engine was stopped in its sleep.
        }
        finally
        {
            AbandonAll();
        }
    }

    private async Task<long> SleepUntilAsync(long due)
    {
        var wait = _time.GetElapsedTime(_time.GetTimestamp(), due);
        if (wait >= ShortestSleep)
        {
            await Task.Delay(wait, _time, _stop.Token);
        }
        else
        {
            await Task.Yield();
        }

        // An engine that was held up does not hurry afterwards.
        return wait < -MostLateness ? _time.GetTimestamp() : due;
    }

    private Task IdleAsync()
    {
        lock (_gate)
        {
            if (_inbox.Count > 0)
            {
                return Task.CompletedTask;
            }

            _isIdle = true;
        }

        return _wake.WaitAsync(_stop.Token);
    }

    private void ReadInbox()
    {
        lock (_gate)
        {
            (_inbox, _reading) = (_reading, _inbox);
        }

        foreach (var (generation, isCancel) in _reading)
        {
            if (!isCancel)
            {
                Admit(generation);
            }
            else if (generation.Handle >= 0)
            {
                _model.Cancel(generation.Handle);
                Forget(generation);
            }
        }

        _reading.Clear();
    }

    private void Admit(Generation generation)
    {
        if (generation.Group.IsAbandoned)
        {
            return;
        }

        var handle = _model.Submit(generation.Request);
        if (handle >= _byHandle.Length)
        {
            Array.Resize(ref _byHandle, Math.Max(16, handle * 2));
        }

        _byHandle[handle] = generation;
        generation.Handle = handle;
    }

    private void EndStep()
    {
        var now = _time.GetTimestamp();
        foreach (var token in _model.EndStep())
        {
            var generation = _byHandle[token.Handle]!;
            _metrics.Observe(generation, token, now);
            generation.LastTokenAt = now;
            if (token.IsFinished)
            {
                Forget(generation);
            }

            generation.Group.Publish(generation, token);
        }
    }

    private void Forget(Generation generation)
    {
        _byHandle[generation.Handle] = null;
        generation.Handle = -1;
    }

    private void AbandonAll()
    {
        lock (_gate)
        {
            _isStopped = true;
            _reading.AddRange(_inbox);
            _inbox.Clear();
        }

        foreach (var (generation, _) in _reading)
        {
            generation.Group.Abandon();
        }

        foreach (var generation in _byHandle)
        {
            generation?.Group.Abandon();
        }
    }
}
