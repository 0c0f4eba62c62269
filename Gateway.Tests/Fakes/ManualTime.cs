namespace Gateway.Tests.Fakes;

/// <summary>A clock that stands still until it is advanced, and then fires timers one by one: earliest first, then in the order of their creation. Thread-safe.</summary>
public sealed class ManualTime : TimeProvider
{
    /// <summary>Unlike ticks and unlike the system's clock, so that code that mixes them up is found; divides exactly, so that bounds can be tested.</summary>
    private const long Frequency = 40_000_000;

    private static readonly DateTimeOffset Epoch = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private TimeSpan _now = TimeSpan.FromDays(3);
    private long _timersCreated;

    public override long TimestampFrequency => Frequency;

    /// <summary>Timers that wait for their time.</summary>
    public int ActiveTimers
    {
        get
        {
            lock (_gate)
            {
                return _timers.Count;
            }
        }
    }

    public override long GetTimestamp()
    {
        lock (_gate)
        {
            return _now.Ticks * (Frequency / TimeSpan.TicksPerSecond);
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
        {
            return Epoch + _now;
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, () => callback(state), Interlocked.Increment(ref _timersCreated));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Lets time pass. Each timer sees the time at which it was due.</summary>
    /// <returns>How many timers fired.</returns>
    public int Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        TimeSpan target;
        lock (_gate)
        {
            target = _now + by;
        }
        var fired = 0;
        while (NextDue(target) is { } timer)
        {
            timer.Fire();
            fired++;
        }
        return fired;
    }

    /// <summary>Lets time pass in steps until something has happened that timers bring about. Time may run ahead of work on other threads: let that come to rest before.</summary>
    public async Task AdvanceUntilAsync(Task done, TimeSpan step, string what)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!done.IsCompleted)
        {
            if (patience.IsCancellationRequested)
            {
                throw new TimeoutException($"did not happen: {what}");
            }
            Advance(step);
            await Task.Yield();
        }
        await done;
    }

    /// <summary>Waits, without time passing, until so many timers are set: work on other threads has come to rest.</summary>
    public async Task WhenActiveAsync(int timers, string what)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (ActiveTimers != timers)
        {
            if (patience.IsCancellationRequested)
            {
                throw new TimeoutException($"did not happen: {what} ({ActiveTimers} timers)");
            }
            await Task.Yield();
        }
    }

    private ManualTimer? NextDue(TimeSpan target)
    {
        lock (_gate)
        {
            var next = _timers.Where(timer => timer.Due <= target).OrderBy(timer => timer.Due).ThenBy(timer => timer.Order).FirstOrDefault();
            if (next is null)
            {
                _now = target;
                return null;
            }
            _now = next.Due > _now ? next.Due : _now;
            if (next.Period > TimeSpan.Zero)
            {
                next.Due += next.Period;
            }
            else
            {
                _timers.Remove(next);
            }
            return next;
        }
    }

    private void Set(ManualTimer timer, TimeSpan dueTime, TimeSpan period)
    {
        lock (_gate)
        {
            _timers.Remove(timer);
            if (dueTime >= TimeSpan.Zero)
            {
                timer.Due = _now + dueTime;
                timer.Period = period;
                _timers.Add(timer);
            }
        }
    }

    private sealed class ManualTimer(ManualTime time, Action fire, long order) : ITimer
    {
        private bool _isDisposed;

        public long Order { get; } = order;

        public TimeSpan Due { get; set; }

        public TimeSpan Period { get; set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (_isDisposed)
            {
                return false;
            }
            time.Set(this, dueTime, period);
            return true;
        }

        public void Dispose()
        {
            _isDisposed = true;
            time.Set(this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
