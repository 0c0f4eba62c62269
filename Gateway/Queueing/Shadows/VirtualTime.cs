namespace Gateway.Queueing.Shadows;

/// <summary>A clock that moves only when told, and fires timers on the caller's thread by due time, then by creation. Not thread-safe.</summary>
/// <remarks>A timestamp is a <see cref="TimeSpan"/> tick (100 ns), and the wall clock starts at a fixed moment: two runs see the same times.</remarks>
public sealed class VirtualTime : TimeProvider
{
    private const int FewEntries = 64;

    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly PriorityQueue<VirtualTimer, (long Due, long Sequence)> _timers = new();
    private long _now;
    private long _sequence;
    private int _outdated;

    /// <summary>Time since the start.</summary>
    public TimeSpan Now => TimeSpan.FromTicks(_now);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>When the next timer is due; null: none is set.</summary>
    public TimeSpan? NextDue
    {
        get
        {
            while (_timers.TryPeek(out var timer, out var key))
            {
                if (timer.Sequence == key.Sequence)
                {
                    return TimeSpan.FromTicks(key.Due);
                }
                _timers.Dequeue();
                _outdated--;
            }
            return null;
        }
    }

    /// <summary>Entries that are kept, outdated ones included: those are fewer than the others, or few.</summary>
    internal int Entries => _timers.Count;

    public override long GetTimestamp() => _now;

    public override DateTimeOffset GetUtcNow() => Start + Now;

    /// <summary>Moves the clock, firing what falls due on the way.</summary>
    public void AdvanceTo(TimeSpan moment)
    {
        while (NextDue is { } due && due <= moment)
        {
            var timer = _timers.Dequeue();
            _now = Math.Max(_now, due.Ticks);
            timer.Fire();
        }
        _now = Math.Max(_now, moment.Ticks);
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new VirtualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private long Schedule(VirtualTimer timer, TimeSpan dueTime)
    {
        _timers.Enqueue(timer, (_now + dueTime.Ticks, ++_sequence));
        return _sequence;
    }

    // Nearly every timer of a request is disposed long before its time: a run of hours would keep all that ever were.
    private void NoteOutdated()
    {
        if (++_outdated <= FewEntries || 2 * _outdated <= _timers.Count)
        {
            return;
        }
        var inForce = _timers.UnorderedItems.Where(static entry => entry.Element.Sequence == entry.Priority.Sequence).ToArray();
        _timers.Clear();
        _timers.EnqueueRange(inForce);
        _outdated = 0;
    }

    // A timer that was changed or disposed leaves its old entry behind; the sequence tells it from the one in force.
    private sealed class VirtualTimer(VirtualTime time, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period = Timeout.InfiniteTimeSpan;

        public long Sequence { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Unset();
            _period = period;
            Sequence = dueTime == Timeout.InfiniteTimeSpan ? 0 : time.Schedule(this, dueTime);
            return true;
        }

        public void Fire()
        {
            Sequence = _period == Timeout.InfiniteTimeSpan || _period == TimeSpan.Zero ? 0 : time.Schedule(this, _period);
            callback(state);
        }

        public void Dispose() => Unset();

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Unset()
        {
            if (Sequence != 0)
            {
                Sequence = 0;
                time.NoteOutdated();
            }
        }
    }
}
