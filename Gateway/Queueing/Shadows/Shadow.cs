using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing.Shadows;

/// <summary>A second policy beside the one that acts, which only says what it would do. Thread-safe; reserves nothing of the real fleet.</summary>
/// <remarks>
/// Both policies live on in worlds of their own, each with a ledger that assumes its own choices, over the same requests and the lengths that their answers
/// came to: the regret is the difference of two forecasts by one model, so that what the model gets wrong of the engines is wrong in both. The worlds begin anew
/// when replicas come, go or change their room.
/// </remarks>
public sealed class Shadow : IDisposable
{
    /// <summary>Larger pools have no shadow: it would cost too much.</summary>
    public const int MostReplicas = 64;

    /// <summary>Requests that whoever comes or ends brings into the worlds: it waits for them, and so does whoever comes meanwhile.</summary>
    internal const int MostAtOnce = 64;

    private const int MostPending = 16_384;

    // Of an answer that takes longer the rest is drawn from its estimate.
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(2);

    private readonly Lock _gate = new();
    private readonly Queue<ShadowedRequest> _pending = new();
    private readonly Queue<Due> _due = new();
    private readonly Pool _pool;
    private readonly TimeProvider _time;
    private readonly ShadowPolicies _policies;
    private readonly Random _lengths;
    private readonly Random _chance;
    private readonly long _startedAt;
    private readonly ShadowTally _tally = new();

    // Brings in the rest, at the same moment but on nobody's time.
    private readonly ITimer _rest;
    private ReplicaSnapshot[] _fleet = [];
    private ShadowWorld? _acting;
    private ShadowWorld? _shadow;
    private TimeSpan _begunAt;
    private long _requests;
    private long _decisions;
    private long _differing;
    private bool _isDisposed;

    /// <param name="pool">Whose replicas are forecast.</param>
    /// <param name="policies">The policy in force and the other.</param>
    /// <param name="time">The clock.</param>
    /// <param name="chance">Seeds the draws.</param>
    public Shadow(Pool pool, ShadowPolicies policies, TimeProvider time, Random chance)
    {
        (_pool, _policies, _time) = (pool, policies, time);
        (_lengths, _chance) = (new Random(chance.Next()), new Random(chance.Next()));
        _startedAt = time.GetTimestamp();
        _rest = time.CreateTimer(_ => BringAll(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The other policy's name.</summary>
    public string Policy => _policies.Name;

    /// <summary>Requests that are in no world yet.</summary>
    internal int Pending
    {
        get { lock (_gate) { return _pending.Count + _due.Count(static due => due.Request is not null); } }
    }

    /// <summary>A request came.</summary>
    /// <returns>To be told how long the answer was, and disposed when the request has ended.</returns>
    public ShadowedRequest OnArrived(InferenceRequest request, in RequestEstimate estimate)
    {
        lock (_gate)
        {
            var seen = new ShadowedRequest(
                this, request with { ArrivedAt = null, Body = request.Body with { Sketch = null } }, estimate, _time.GetElapsedTime(_startedAt));
            if (!_isDisposed)
            {
                _pending.Enqueue(seen);
                PumpLocked();
            }
            return seen;
        }
    }

    /// <summary>A request was placed by the policy in force.</summary>
    public void OnDecided(in AdmissionResult decided)
    {
        Interlocked.Increment(ref _decisions);
        if (decided is { Shadow.Replica: { } other, Reservation.Replica: { } chosen } && other != chosen)
        {
            Interlocked.Increment(ref _differing);
        }
    }

    /// <summary>The verdict so far.</summary>
    public ShadowReading Read()
    {
        lock (_gate)
        {
            NoteDueLocked();
        }
        BringAll();
        lock (_gate)
        {
            return new ShadowReading
            {
                Policy = Policy,
                Answers = _tally.Answers,
                RegretSeconds = _tally.RegretSeconds,
                ActingSeconds = _tally.ActingSeconds,
                FirstTokenRegretSeconds = _tally.FirstTokenRegretSeconds,
                WholeRegretSeconds = _tally.WholeRegretSeconds,
                RefusalRegret = _tally.RefusalRegret,
                Decisions = Interlocked.Read(ref _decisions),
                Differing = Interlocked.Read(ref _differing),
            };
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            _pending.Clear();
            _due.Clear();
            EndWorldsLocked();
        }
        _rest.Dispose();
    }

    internal void OnEnded(ShadowedRequest ended)
    {
        lock (_gate)
        {
            ended.HasEnded = true;
            PumpLocked();
        }
    }

    private void PumpLocked()
    {
        NoteDueLocked();
        if (BringSomeLocked())
        {
            _rest.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }

    // In the order of arrival: the worlds are behind by the longest answer that runs, but know how long each became. What is known at this moment is noted with it, so
    // that it does not matter when the worlds hear of it.
    private void NoteDueLocked()
    {
        if (_isDisposed)
        {
            return;
        }
        var now = _time.GetElapsedTime(_startedAt);
        ReplicaSnapshot[]? fleet = null;
        while (_pending.TryPeek(out var next) && (next.HasEnded || now - next.At > LongestWait || _pending.Count > MostPending))
        {
            _pending.Dequeue();
            fleet ??= Working();
            var tokens = !CanForecast(fleet) ? 0
                : next.OutputTokens / next.Estimate.Sequences ?? next.Estimate.Output.Quantile(_lengths.NextDouble(), next.GeneratedTokens);
            _due.Enqueue(new Due(next, fleet, tokens, next.At));
        }
        if (_pending.Count == 0)
        {
            // Nothing is unknown any more: the worlds catch up.
            _due.Enqueue(new Due(null, [], 0, now));
        }
    }

    // Whoever comes meanwhile waits for a few of them only.
    private void BringAll()
    {
        bool isMore;
        do
        {
            lock (_gate)
            {
                isMore = BringSomeLocked();
            }
        }
        while (isMore);
    }

    /// <summary>Brings what is due into the worlds.</summary>
    /// <returns>Whether there is more than at once.</returns>
    private bool BringSomeLocked()
    {
        for (var brought = 0; brought < MostAtOnce && _due.TryDequeue(out var due); brought++)
        {
            BringLocked(due);
        }
        return _due.Count > 0;
    }

    private void BringLocked(in Due due)
    {
        if (due.Request is not { } request)
        {
            _acting?.AdvanceTo(due.At - _begunAt);
            _shadow?.AdvanceTo(due.At - _begunAt);
            return;
        }
        if (!FollowLocked(due.Fleet, due.At))
        {
            return;
        }
        _acting!.AdvanceTo(due.At - _begunAt);
        _shadow!.AdvanceTo(due.At - _begunAt);
        _requests++;
        _acting.Enter(_requests, request.Request, request.Estimate, Math.Max(1, due.OutputTokens));
        _shadow.Enter(_requests, request.Request, request.Estimate, Math.Max(1, due.OutputTokens));
    }

    private static bool CanForecast(ReplicaSnapshot[] fleet) => fleet.Length is > 0 and <= MostReplicas;

    /// <summary>Takes over the fleet as it was; false: there is none to forecast.</summary>
    private bool FollowLocked(ReplicaSnapshot[] fleet, TimeSpan now)
    {
        var isSame = fleet.Length == _fleet.Length;
        for (var i = 0; isSame && i < fleet.Length; i++)
        {
            isSame = fleet[i].Id == _fleet[i].Id && fleet[i].CapacityTokens == _fleet[i].CapacityTokens && fleet[i].SlotLimit == _fleet[i].SlotLimit;
        }
        _fleet = fleet;
        if (isSame && _acting is not null)
        {
            _acting.Follow(fleet);
            _shadow!.Follow(fleet);
            return true;
        }
        EndWorldsLocked();
        if (!CanForecast(fleet))
        {
            return false;
        }
        _begunAt = now;
        // The same draws among equals for both: a policy beside itself regrets nothing.
        var seed = _chance.Next();
        _acting = World(_policies.Acting, seed, isActing: true);
        _shadow = World(_policies.Shadow, seed, isActing: false);
        return true;
    }

    private ReplicaSnapshot[] Working()
    {
        var replicas = _pool.Replicas;
        var count = 0;
        var fleet = new ReplicaSnapshot[replicas.Length];
        foreach (var replica in replicas)
        {
            var now = replica.Snapshot();
            if (now.AcceptsWork)
            {
                fleet[count++] = now;
            }
        }
        return count == fleet.Length ? fleet : fleet[..count];
    }

    private ShadowWorld World(Func<Pool, PrefixIndex, ShadowPlans> plans, int seed, bool isActing) =>
        new(_pool.Options, _fleet, _policies.PrefixBytes, plans, new Random(seed), ending => _tally.OnEnded(ending, isActing));

    private void EndWorldsLocked()
    {
        _acting?.Dispose();
        _shadow?.Dispose();
        (_acting, _shadow) = (null, null);
        _tally.Forget();
    }

    /// <summary>What the worlds are to hear next.</summary>
    /// <param name="Request">A request that comes; null: no more than the time.</param>
    /// <param name="Fleet">The replicas that took work when its answer was known.</param>
    /// <param name="OutputTokens">How long its answer is, each sequence.</param>
    /// <param name="At">The moment.</param>
    private readonly record struct Due(ShadowedRequest? Request, ReplicaSnapshot[] Fleet, int OutputTokens, TimeSpan At);
}

/// <summary>The two policies that a <see cref="Shadow"/> compares.</summary>
/// <param name="Name">The other policy: routing, order and admission with slashes between.</param>
/// <param name="Acting">The policy in force, for a world of its own.</param>
/// <param name="Shadow">The other.</param>
/// <param name="PrefixBytes">Memory of each world for what was sent where.</param>
public sealed record ShadowPolicies(string Name, Func<Pool, PrefixIndex, ShadowPlans> Acting, Func<Pool, PrefixIndex, ShadowPlans> Shadow, long PrefixBytes);
