using Gateway.Replay.Traces;

namespace Gateway.Replay;

/// <summary>Lets a session's turns start one after another: a turn never starts before the last answer, nor before the pause that follows it. Used by one run.</summary>
internal sealed class SessionLine
{
    // A session at rest is forgotten after the longest pause that counts, so that memory follows what is in flight.
    private static readonly TimeSpan LongestThink = TimeSpan.FromHours(1);

    private readonly Dictionary<string, Session> _sessions = new(StringComparer.Ordinal);
    private readonly Queue<(string Id, TimeSpan End)> _resting = new();
    private readonly PriorityQueue<TraceRequest, (long Due, long Sequence)> _due = new();
    private long _sequence;
    private int _held;

    /// <summary>When the next held turn is due; null: none has a time yet.</summary>
    public TimeSpan? NextDue => _due.TryPeek(out _, out var key) ? TimeSpan.FromTicks(key.Due) : null;

    /// <summary>Turns that are held, with a time or without.</summary>
    public int Held => _held + _due.Count;

    /// <summary>Sessions that are remembered: busy, or at rest for less than the longest pause.</summary>
    internal int Known => _sessions.Count;

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
        session.LastEnd = now;
        if (session.Waiting.TryDequeue(out var next))
        {
            _held--;
            session.IsBusy = true;
            Schedule(next, now + (next.Think ?? TimeSpan.Zero));
        }
        else
        {
            _resting.Enqueue((id, now));
        }
        Forget(now);
    }

    private void Forget(TimeSpan now)
    {
        while (_resting.TryPeek(out var rest) && rest.End + LongestThink < now)
        {
            _resting.Dequeue();
            if (_sessions.TryGetValue(rest.Id, out var session) && !session.IsBusy && session.LastEnd == rest.End)
            {
                _sessions.Remove(rest.Id);
            }
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
