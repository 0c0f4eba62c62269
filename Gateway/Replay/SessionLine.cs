using Gateway.Replay.Traces;

namespace Gateway.Replay;

/// <summary>Lets a session's turns start one after another: a turn never starts before the last answer, nor before the pause that follows it. Used by one run.</summary>
internal sealed class SessionLine
{
    private readonly Dictionary<string, Session> _sessions = new(StringComparer.Ordinal);
    private readonly PriorityQueue<TraceRequest, (long Due, long Sequence)> _due = new();
    private long _sequence;
    private int _held;

    /// <summary>When the next held turn is due; null: none has a time yet.</summary>
    public TimeSpan? NextDue => _due.TryPeek(out _, out var key) ? TimeSpan.FromTicks(key.Due) : null;

    /// <summary>Turns that are held, with a time or without.</summary>
    public int Held => _held + _due.Count;

    /// <summary>A turn comes: it may start now, or it is held until its session allows.</summary>
    public bool MayStart(TraceRequest row, TimeSpan now)
    {
        if (row.SessionId is not { } id)
        {
            return true;
        }
        if (!_sessions.TryGetValue(id, out var session))
        {
            _sessions[id] = session = new Session();
        }
        if (session.IsBusy || session.Waiting.Count > 0)
        {
            session.Waiting.Enqueue(row);
            _held++;
            return false;
        }
        session.IsBusy = true;
        if (session.LastEnd is { } end && row.Think is { } think && end + think > now)
        {
            Schedule(row, end + think);
            return false;
        }
        return true;
    }

    /// <summary>Takes the turn that is due.</summary>
    public TraceRequest TakeDue() => _due.Dequeue();

    /// <summary>A turn ended: the next one of its session gets its time.</summary>
    public void OnEnded(TraceRequest row, TimeSpan now)
    {
        if (row.SessionId is not { } id)
        {
            return;
        }
        var session = _sessions[id];
        session.IsBusy = false;
        session.LastEnd = row.Think is null ? null : now;
        if (session.Waiting.TryDequeue(out var next))
        {
            _held--;
            session.IsBusy = true;
            var earliest = now + (next.Think ?? TimeSpan.Zero);
            Schedule(next, earliest > next.Arrival || next.Think is not null ? earliest : next.Arrival);
        }
        else if (session.LastEnd is null)
        {
            _sessions.Remove(id);
        }
    }

    private void Schedule(TraceRequest row, TimeSpan due) => _due.Enqueue(row, (due.Ticks, ++_sequence));

    private sealed class Session
    {
        public Queue<TraceRequest> Waiting { get; } = new();

        public bool IsBusy { get; set; }

        public TimeSpan? LastEnd { get; set; }
    }
}
