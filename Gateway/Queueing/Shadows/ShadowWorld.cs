using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing.Shadows;

/// <summary>How one request fared in a world.</summary>
/// <param name="Number">Which request.</param>
/// <param name="FirstTokenSeconds">Arrival to first token; null: it was refused.</param>
/// <param name="AnswerSeconds">Arrival to last token; null: it was refused.</param>
internal readonly record struct ShadowEnding(long Number, double? FirstTokenSeconds, double? AnswerSeconds);

/// <summary>What decides in a world, made for its own replicas and index of prefixes.</summary>
/// <param name="Dispatch">Limits and order.</param>
/// <param name="Routing">How a replica is chosen.</param>
public sealed record ShadowPlans(DispatchPlan Dispatch, RoutingPlan Routing);

/// <summary>The fleet as it would be under one policy: the gateway's own dispatcher in front of engines that are forecasts. Not thread-safe.</summary>
/// <remarks>Its clock is moved from outside. What is chosen here is reserved here, in ledgers of its own.</remarks>
internal sealed class ShadowWorld : IDisposable
{
    /// <summary>Requests that a world holds at once; it refuses more: under a policy that never does, a lasting overload would fill the memory with them.</summary>
    public const int MostAnswers = 16_384;

    private static readonly FaultLimits NoFaults = new(int.MaxValue, TimeSpan.FromSeconds(1));
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(1);

    private readonly VirtualTime _time = new();
    private readonly Pool _pool;
    private readonly Dispatcher _dispatcher;
    private readonly Action<ShadowEnding> _ended;
    private readonly FluidEngine[] _engines;
    private readonly ShadowPlans _plans;
    private TimeSpan _nextReport;
    private int _answers;

    /// <param name="model">The pool's settings.</param>
    /// <param name="fleet">The replicas that take work.</param>
    /// <param name="prefixBytes">Memory for what was sent where.</param>
    /// <param name="plans">What decides here.</param>
    /// <param name="chance">Draws among equals.</param>
    /// <param name="ended">Hears how each request fared, once.</param>
    public ShadowWorld(
        ModelOptions model, ReadOnlySpan<ReplicaSnapshot> fleet, long prefixBytes, Func<Pool, PrefixIndex, ShadowPlans> plans, Random chance, Action<ShadowEnding> ended)
    {
        _ended = ending =>
        {
            _answers--;
            ended(ending);
        };
        var prefixes = new PrefixIndex(prefixBytes, _time);
        _pool = new Pool(model, NoFaults, _time);
        _plans = plans(_pool, prefixes);
        _dispatcher = new Dispatcher(_pool, prefixes, () => _plans.Dispatch, new Router(() => _plans.Routing, chance), _time);
        _engines = new FluidEngine[fleet.Length];
        var places = new ReplicaPlace[fleet.Length];
        for (var i = 0; i < fleet.Length; i++)
        {
            var (room, slots) = (fleet[i].CapacityTokens, fleet[i].SlotLimit);
            _engines[i] = new FluidEngine(room ?? long.MaxValue / 4, slots ?? int.MaxValue);
            var address = new Uri($"http://{i}.invalid");
            places[i] = new ReplicaPlace(fleet[i].Id, address, new ReplicaOptions { Url = address, KvTokens = room, Slots = slots, Weight = fleet[i].Weight });
        }
        _pool.SetReplicas(places);
        Follow(fleet);
        Report();
        foreach (var replica in _pool.Replicas)
        {
            replica.OnProbed(ReplicaHealth.Up);
        }
    }

    /// <summary>Takes over how fast the replicas are, in the order in which they were given.</summary>
    public void Follow(ReadOnlySpan<ReplicaSnapshot> fleet)
    {
        for (var i = 0; i < _engines.Length; i++)
        {
            _engines[i].Rates = fleet[i].Rates;
            _engines[i].Settle();
        }
    }

    /// <summary>A request comes, at the world's present moment.</summary>
    public void Enter(long number, InferenceRequest request, in RequestEstimate estimate, int outputTokens)
    {
        if (++_answers > MostAnswers)
        {
            _ended(new ShadowEnding(number, null, null));
            return;
        }
        var answer = new FluidAnswer(number, request, estimate, _time.Now, outputTokens);
        _ = _dispatcher.Enter(request, estimate, Constraints.None, result => Decided(answer, result));
    }

    /// <summary>Lets everything happen until a moment.</summary>
    public void AdvanceTo(TimeSpan moment)
    {
        while (NextEngine() is var next && Earlier(next?.NextAt, _time.NextDue) is { } due && due <= moment)
        {
            _time.AdvanceTo(due);
            if (next is not null && next.NextAt <= _time.Now)
            {
                Step(next);
            }
        }
        _time.AdvanceTo(moment);
        foreach (var engine in _engines)
        {
            engine.Drift(moment);
            Tell(engine);
            engine.Settle();
        }
        if (_nextReport <= moment)
        {
            Report();
            _nextReport = moment + ReportInterval;
        }
    }

    public void Dispose() => _dispatcher.Dispose();

    private FluidEngine? NextEngine()
    {
        FluidEngine? next = null;
        foreach (var engine in _engines)
        {
            next = engine.NextAt is { } at && !(next?.NextAt <= at) ? engine : next;
        }
        return next;
    }

    private void Decided(FluidAnswer answer, in AdmissionResult result)
    {
        if (result.Reservation is not { } reservation)
        {
            // What waits when its world ends is no verdict on a policy.
            if (result.Outcome != AdmissionOutcome.RejectedShuttingDown)
            {
                _ended(new ShadowEnding(answer.Number, null, null));
            }
            return;
        }
        answer.Reservation = reservation;
        answer.Charged = result.Charged;
        answer.CachedTokens = result.PrefixHitTokens;
        answer.OwnPromptTokens = Math.Max(0, answer.PromptTokens - reservation.SharedTokens);
        _engines[IndexOf(reservation.Replica)].Submit(answer, _time.Now);
    }

    private void Step(FluidEngine engine)
    {
        if (engine.Step(_time.Now) is not var (answer, isFinished))
        {
            return;
        }
        if (answer.FirstTokenAt is null)
        {
            answer.FirstTokenAt = _time.Now;
            answer.Reservation!.OnFirstToken();
        }
        Tell(engine);
        if (isFinished)
        {
            End(answer);
        }
    }

    private void End(FluidAnswer answer)
    {
        var reservation = answer.Reservation!;
        reservation.OnAnswered(new ServedAnswer(answer.OutputTokens * answer.Sequences, answer.PromptTokens, answer.CachedTokens, _time.GetTimestamp()));
        reservation.Dispose();
        _dispatcher.Settle(answer.Request, answer.Charged, new ServedTokens(Math.Max(0, answer.PromptTokens - answer.CachedTokens), answer.OutputTokens * answer.Sequences));
        var entered = answer.EnteredAt;
        _ended(new ShadowEnding(answer.Number, (answer.FirstTokenAt!.Value - entered).TotalSeconds, (_time.Now - entered).TotalSeconds));
    }

    // The ledger hears of an answer's growth in the same steps as that of a real one. Room that it returns may let in others at once.
    private static void Tell(FluidEngine engine)
    {
        for (var i = 0; i < engine.Answers.Count; i++)
        {
            var answer = engine.Answers[i];
            var generated = (int)engine.GeneratedOf(answer);
            if (generated - answer.ToldTokens >= LoadReservation.ProgressTokens)
            {
                answer.ToldTokens = generated;
                var left = Math.Max(0, answer.Reservation!.Load.OutputTokens - ((double)generated * answer.Sequences));
                answer.Reservation.OnProgress((long)generated * answer.Sequences, left);
            }
        }
    }

    private void Report()
    {
        var replicas = _pool.Replicas;
        for (var i = 0; i < replicas.Length; i++)
        {
            var now = replicas[i].Snapshot();
            replicas[i].Observe(new EngineReport
            {
                ReadAt = _time.GetTimestamp(),
                Engine = EngineKind.Vllm,
                RunningRequests = _engines[i].Running,
                WaitingRequests = _engines[i].Waiting,
                KvUsage = now.CapacityTokens is { } room ? Math.Min(1, now.HeldTokens / (double)room) : null,
                KvCapacityTokens = now.CapacityTokens,
                Preemptions = _engines[i].Preemptions,
            });
        }
    }

    private int IndexOf(Replica replica)
    {
        var replicas = _pool.Replicas;
        for (var i = 0; i < replicas.Length; i++)
        {
            if (replicas[i] == replica)
            {
                return i;
            }
        }
        throw new InvalidOperationException("The replica is in no place of this world.");
    }

    private static TimeSpan? Earlier(TimeSpan? a, TimeSpan? b) => a is null || b < a ? b : a;
}
