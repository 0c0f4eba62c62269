namespace Gateway.Replicas;

/// <content>Whether it gets work, why not, and since when.</content>
public sealed partial class Replica
{
    private const int LongestReason = 200;

    private ReplicaHealth _probed = ReplicaHealth.Unknown;
    private string? _probedWhy;
    private DateTimeOffset _probedSince;
    private long? _unansweredSince;
    private bool _isDraining;
    private DateTimeOffset _drainChangedAt;

    /// <summary>Raised outside every lock, with the reason, when faults or silence suspend a replica that was not suspended.</summary>
    public event Action<string>? Suspended;

    /// <summary>Raised outside every lock, with the reason, when faults would have suspended it, were it not the last that takes work.</summary>
    public event Action<string>? Spared;

    /// <summary>Raised outside every lock when the engine was found to have been started anew: its caches are empty.</summary>
    public event Action? Restarted;

    /// <summary>Whether new work may be sent now, why not, and since when.</summary>
    public ReplicaStanding Standing
    {
        get
        {
            lock (_gate)
            {
                var health = HealthLocked();
                var (reason, since) = health == ReplicaHealth.Draining ? ("draining", _drainChangedAt)
                    : health == _probed && health != ReplicaHealth.Up ? (_probedWhy, _probedSince)
                    : _faults.Account(health);
                return new ReplicaStanding(health, reason, health == ReplicaHealth.Up ? Latest(since, _probedSince, _drainChangedAt) : since);
            }
        }
    }

    /// <summary>Server faults since the last success: the last replica that takes work is not suspended for them.</summary>
    public int FaultsInARow
    {
        get
        {
            lock (_gate)
            {
                return _faults.FaultsInARow;
            }
        }
    }

    /// <summary>Whether it takes work, and not on trial only.</summary>
    internal bool IsTrusted
    {
        get
        {
            lock (_gate)
            {
                return HealthLocked() == ReplicaHealth.Up && !_faults.IsOpen;
            }
        }
    }

    /// <summary>Takes over the verdict of a probe: <see cref="ReplicaHealth.Up"/>, <see cref="ReplicaHealth.Down"/> or <see cref="ReplicaHealth.WrongModel"/>.</summary>
    /// <param name="verdict">The verdict.</param>
    /// <param name="why">For people, where it is a bad one.</param>
    public void OnProbed(ReplicaHealth verdict, string? why = null)
    {
        bool hasChanged;
        lock (_gate)
        {
            hasChanged = _probed != verdict;
            _probedWhy = verdict == ReplicaHealth.Up ? null : why is { Length: > LongestReason } ? why[..LongestReason] : why;
            if (hasChanged)
            {
                _probed = verdict;
                _probedSince = _time.GetUtcNow();
            }
        }
        // Also when it went down: a request that waits for this replica, though others have room, must look again.
        if (hasChanged)
        {
            OnRoomReturned();
        }
    }

    /// <summary>A probe came to its end.</summary>
    /// <param name="isUnanswered">Whether nothing came within its time; a refusal is an answer.</param>
    public void OnProbeEnded(bool isUnanswered)
    {
        lock (_gate)
        {
            _unansweredSince = isUnanswered ? _unansweredSince ?? _time.GetTimestamp() : null;
        }
    }

    /// <summary>Whether the replica hangs, judged by an answer that has waited so long for its next part. If so it is suspended, until one request tries it again.</summary>
    /// <param name="waited">Since its last part, or since it was sent.</param>
    /// <param name="isStream">Whether its parts are heard as they come. Of a plain answer nothing is heard until its end: only an engine that counts its steps can be judged.</param>
    public bool IsHung(TimeSpan waited, bool isStream)
    {
        string? suspendedFor;
        lock (_gate)
        {
            if (HasFallenSilentLocked(isStream))
            {
                return true;
            }
            var countsSteps = _report is { Engine: EngineKind.Vllm, Progress: not null };
            // Ollama and unknown servers unload idle models, and are silent for minutes while loading one again.
            if (!countsSteps && (!isStream || MayLoadForMinutesLocked))
            {
                return false;
            }
            var (queued, sequences) = (_ledger.QueuedPrefillTokens + _peers.QueuedPrefillTokens, _ledger.Sequences + _peers.Sequences);
            if (!_signs.IsHung(waited, _meter.Rates, countsSteps, queued, sequences))
            {
                return false;
            }
            suspendedFor = _faults.Open(FormattableString.Invariant($"hung: silent for {waited.TotalSeconds:0} s")) ? _faults.Why : null;
            Interlocked.Increment(ref _roomVersion);
        }
        TellSuspended(suspendedFor);
        return true;
    }

    /// <summary>Stops or resumes new work; running answers are not touched.</summary>
    public void SetDraining(bool isDraining)
    {
        lock (_gate)
        {
            if (_isDraining != isDraining)
            {
                (_isDraining, _drainChangedAt) = (isDraining, _time.GetUtcNow());
            }
        }
        OnRoomReturned();
    }

    /// <summary>It was drained before it was gone for a moment. Before anybody else has the replica; nobody is told.</summary>
    internal void BeginDrained() => _isDraining = true;

    private bool MayLoadForMinutesLocked => _report.Engine is EngineKind.Ollama or EngineKind.OpenAi or EngineKind.Auto;

    // Probes are unanswered, and nothing of any answer came since the first of them: that is a hang, however slow the engine is known to be.
    private bool HasFallenSilentLocked(bool isStream) =>
        _probed == ReplicaHealth.Down && _unansweredSince is { } since && !_signs.HasShownSince(since)
        && (isStream || _report.Engine == EngineKind.Vllm) && !MayLoadForMinutesLocked;

    private void TellSuspended(string? reason)
    {
        if (reason is not null)
        {
            Suspended?.Invoke(reason);
        }
    }

    private ReplicaHealth HealthLocked(bool isRead = false) =>
        _isDraining && !isRead ? ReplicaHealth.Draining
        : _probed != ReplicaHealth.Up ? _probed
        : _faults.Verdict(_ledger.Requests);

    private static DateTimeOffset Latest(params ReadOnlySpan<DateTimeOffset> moments)
    {
        var latest = moments[0];
        foreach (var moment in moments)
        {
            latest = moment > latest ? moment : latest;
        }
        return latest;
    }
}
