using Gateway.Configuration;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Queueing.Shadows;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Requests;
using Gateway.Simulation;

namespace Gateway.Replay;

/// <summary>Runs a workload through the gateway's own core in front of simulated engines, in virtual time. One instance, one run, one thread.</summary>
/// <remarks>
/// At one moment timers fire first, then steps end in the order of the engines, then requests arrive in the order of the trace; idle engines begin a step
/// when all of that is done. Nothing else decides, so a run depends on its inputs alone.
/// </remarks>
public sealed class Replayer
{
    private const string Model = "replayed";

    private readonly ReplaySettings _settings;
    private readonly IRunObserver _observer;
    private readonly VirtualTime _time = new();
    private readonly GatewayCore _core;
    private readonly ModelPool _pool;
    private readonly SimulatedReplica[] _engines;
    private readonly SimulatedReplica[] _bySlot;
    private readonly RequestFactory _factory;
    private readonly SessionLine _sessions = new();
    private TimeSpan _nextScrape;
    private TimeSpan _nextSample;
    private TimeSpan? _firstArrival;
    private TimeSpan _lastEnd;
    private long _inFlight;
    private long _decisions;

    /// <param name="settings">Fleet and seed.</param>
    /// <param name="policy">What decides.</param>
    /// <param name="observer">Hears what is measured.</param>
    public Replayer(ReplaySettings settings, ReplayPolicy policy, IRunObserver observer)
    {
        _settings = settings;
        _observer = observer;
        _core = GatewayCore.Create(OptionsOf(settings, policy), _time, new Random(settings.Seed), hashKey: 0);
        _pool = _core.Find(Model)!;
        _pool.Pool.SetReplicas([.. _core.Options.Models[0].Replicas.Select(replica => new ReplicaPlace(replica.Id, replica.Url!, replica))]);
        _engines = [.. Enumerable.Range(0, settings.Replicas).Select(i => new SimulatedReplica(i, settings.Profile, SchedulingPolicy.Fcfs, settings.SpeedOf(i)))];
        _bySlot = new SimulatedReplica[settings.Replicas];
        for (var i = 0; i < settings.Replicas; i++)
        {
            var replica = _pool.Pool.ReplicaList[i];
            _engines[i].View = replica;
            _bySlot[replica.Slot] = _engines[i];
            replica.Observe(_engines[i].Report(_time.GetTimestamp(), settings.Room));
            replica.OnProbed(ReplicaHealth.Up);
        }
        _factory = new RequestFactory(Model, _core.Hasher, policy.Lengths, settings);
    }

    /// <summary>What decides, as the gateway has it.</summary>
    internal ModelPool Pool => _pool;

    /// <summary>The fleet, with the gateway's view of it.</summary>
    internal IReadOnlyList<SimulatedReplica> Engines => _engines;

    /// <summary>Runs a workload to its end. Every request ends exactly once, completed, refused or too large.</summary>
    /// <param name="trace">The workload.</param>
    /// <param name="cancellationToken">Gives the run up.</param>
    public void Run(ITrace trace, CancellationToken cancellationToken)
    {
        using var rows = trace.Read().GetEnumerator();
        var hasRow = rows.MoveNext();
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var arrival = hasRow ? rows.Current.Arrival : (TimeSpan?)null;
            if (Next(arrival) is not { } now)
            {
                break;
            }
            _time.AdvanceTo(now);
            Observe(now);
            EndSteps(now);
            while (hasRow && rows.Current.Arrival <= now)
            {
                Arrive(rows.Current, now);
                hasRow = rows.MoveNext();
            }
            while (_sessions.NextDue <= now)
            {
                Start(_sessions.TakeDue(), now);
            }
            foreach (var engine in _engines)
            {
                engine.Kick(now);
            }
        }
        _core.Dispose();
        _observer.OnEnd(_lastEnd - (_firstArrival ?? TimeSpan.Zero), _decisions, [.. _engines.Select(engine => engine.Totals())]);
    }

    private static GatewayOptions OptionsOf(ReplaySettings settings, ReplayPolicy policy)
    {
        var options = policy.Options(Fleet(settings), settings.Seed);
        return options with { Routing = options.Routing with { Shadow = settings.Shadow } };
    }

    private static ModelOptions Fleet(ReplaySettings settings) => new()
    {
        Name = Model,
        Aliases = RequestFactory.ClassNames(Model),
        BytesPerToken = RequestFactory.BytesPerToken,
        Replicas = [.. Enumerable.Range(0, settings.Replicas).Select(i => new ReplicaOptions
        {
            Url = new Uri($"http://replica-{i}"),
            Id = $"replica-{i}",
            KvTokens = settings.Room == RoomKnowledge.Capacity ? settings.Profile.KvTokens : null,
            Slots = settings.Room == RoomKnowledge.Capacity ? settings.Profile.MaxSequences : null,
        })],
    };

    /// <summary>The next moment at which anything happens; null: everything has ended.</summary>
    private TimeSpan? Next(TimeSpan? arrival)
    {
        var next = Earlier(arrival, _sessions.NextDue);
        foreach (var engine in _engines)
        {
            next = Earlier(next, engine.StepEnd);
        }
        if (next is null && _inFlight == 0)
        {
            return null;
        }
        // While requests are on their way the clock also stops for timers, scrapes and samples.
        return Earlier(Earlier(next, _time.NextDue), Earlier(_nextScrape, _nextSample));
    }

    private void Observe(TimeSpan now)
    {
        if (_nextScrape <= now)
        {
            foreach (var engine in _engines)
            {
                engine.View!.Observe(engine.Report(_time.GetTimestamp(), _settings.Room));
            }
            _nextScrape = now + _settings.ScrapeInterval;
        }
        if (_nextSample <= now)
        {
            foreach (var engine in _engines)
            {
                _observer.OnSample(engine.Sample(now));
            }
            _observer.OnQueue(new QueueSample(now, Enum.GetValues<PriorityClass>().Sum(_pool.Dispatcher.Waiting)));
            _nextSample = now + _settings.SampleInterval;
        }
    }

    private void Arrive(TraceRequest row, TimeSpan now)
    {
        _firstArrival ??= now;
        if (_sessions.MayStart(row, now))
        {
            Start(row, now);
        }
    }

    private void Start(TraceRequest row, TimeSpan now)
    {
        var profile = _settings.Profile;
        if (!_engines[0].Model.Fits(row.InputTokens, row.OutputTokens) || row.InputTokens + row.OutputTokens > profile.MaxModelTokens)
        {
            End(new RequestResult
            {
                Outcome = ReplayOutcome.TooLarge,
                Arrival = now,
                InputTokens = row.InputTokens,
                ClientId = row.ClientId,
                SessionId = row.SessionId,
                Priority = row.Priority,
            }, row, now);
            return;
        }
        var request = _factory.Request(row);
        var estimate = _core.Estimator.Estimate(request, _factory.LengthsOf(row), RequestFactory.BytesPerToken, _pool.Pool.ContextTokens);
        var flight = new Flight(row, request, estimate, now);
        _inFlight++;
        flight.Shadowed = _pool.OnArrived(request, estimate);
        _pool.Dispatcher.Enter(request, estimate, Constraints.None, result => Decided(flight, result));
    }

    private void Decided(Flight flight, AdmissionResult result)
    {
        var row = flight.Trace;
        if (result.Reservation is not { } reservation)
        {
            _inFlight--;
            flight.Shadowed?.Dispose();
            End(new RequestResult
            {
                Outcome = ReplayOutcome.Refused,
                Arrival = flight.StartedAt,
                QueueWait = result.Waited,
                InputTokens = row.InputTokens,
                ClientId = row.ClientId,
                SessionId = row.SessionId,
                Priority = row.Priority,
            }, row, _time.Now);
            return;
        }
        _decisions++;
        _pool.OnDecided(flight.Estimate, result);
        flight.Reservation = reservation;
        flight.AdmittedAt = _time.Now;
        flight.PrefixHitTokens = result.PrefixHitTokens;
        flight.PrefixHitAge = result.PrefixHitAge;
        var engine = _bySlot[reservation.Replica.Slot];
        flight.ReplicaIndex = engine.Index;
        engine.Submit(flight, _factory.EngineRequest(row));
    }

    private void EndSteps(TimeSpan now)
    {
        foreach (var engine in _engines)
        {
            if (engine.StepEnd is not { } end || end > now)
            {
                continue;
            }
            foreach (var (flight, token) in engine.EndStep())
            {
                Advance(flight, token, now);
            }
        }
    }

    private void Advance(Flight flight, in EngineToken token, TimeSpan now)
    {
        if (token.Generated <= 1)
        {
            flight.FirstTokenAt = now;
            flight.CachedTokens = token.CachedTokens;
            flight.Reservation!.OnFirstToken();
        }
        if (token.IsFinished)
        {
            Complete(flight, now);
        }
        else if (token.Generated % LoadReservation.ProgressTokens == 0)
        {
            flight.Reservation!.OnProgress(token.Generated, flight.Estimate.Output.RemainingTokens(token.Generated));
        }
    }

    private void Complete(Flight flight, TimeSpan now)
    {
        var row = flight.Trace;
        _inFlight--;
        flight.Reservation!.Replica.OnSuccess();
        flight.Reservation.OnAnswered(new ServedAnswer(row.OutputTokens, row.InputTokens, flight.CachedTokens, _time.GetTimestamp()));
        flight.Reservation.Dispose();
        _core.Learner.OnCompleted(Completed(flight, now));
        _pool.Prefixes.OnReported(flight.Reservation.Replica.Slot, row.InputTokens, flight.PrefixHitTokens, flight.PrefixHitAge, flight.CachedTokens);
        flight.Request.Body.Sketch?.Return();
        if (flight.Shadowed is { } shadowed)
        {
            shadowed.OutputTokens = row.OutputTokens;
            shadowed.Dispose();
        }
        _pool.Dispatcher.OnCompleted(flight.Request, flight.Estimate, row.OutputTokens);
        End(new RequestResult
        {
            Outcome = ReplayOutcome.Completed,
            Arrival = flight.StartedAt,
            QueueWait = flight.AdmittedAt - flight.StartedAt,
            TimeToFirstToken = flight.FirstTokenAt - flight.StartedAt,
            EndToEnd = now - flight.StartedAt,
            InputTokens = row.InputTokens,
            OutputTokens = row.OutputTokens,
            CachedTokens = flight.CachedTokens,
            EstimatedOutputTokens = flight.Estimate.OutputTokens,
            ReplicaIndex = flight.ReplicaIndex,
            ClientId = row.ClientId,
            SessionId = row.SessionId,
            Priority = row.Priority,
            TimeToFirstTokenSlo = row.TimeToFirstTokenSlo,
        }, row, now);
    }

    private void End(in RequestResult result, TraceRequest row, TimeSpan now)
    {
        _lastEnd = now;
        _observer.OnRequest(result);
        _sessions.OnEnded(row, now);
    }

    private CompletedRequest Completed(Flight flight, TimeSpan now) => new()
    {
        Request = flight.Request,
        Route = flight.Request.Route,
        RequestId = flight.Request.Id,
        Model = _factory.LengthsOf(flight.Trace),
        ReplicaId = flight.Reservation!.Replica.Id,
        Estimate = flight.Estimate,
        Outcome = RequestOutcome.Success,
        StatusCode = 200,
        Duration = now - flight.StartedAt,
        QueueWait = flight.AdmittedAt - flight.StartedAt,
        TimeToFirstToken = flight.FirstTokenAt - flight.StartedAt,
        StreamDuration = now - flight.FirstTokenAt,
        Usage = new TokenUsage(flight.Trace.InputTokens, flight.Trace.OutputTokens, flight.CachedTokens, null),
        OutputTokens = flight.Trace.OutputTokens,
        PrefixHitTokens = flight.PrefixHitTokens,
        IsCensored = flight.Trace.MaxOutputTokens is { } limit && flight.Trace.OutputTokens >= limit,
    };

    private static TimeSpan? Earlier(TimeSpan? a, TimeSpan? b) => a is null ? b : b is null ? a : a < b ? a : b;
}
