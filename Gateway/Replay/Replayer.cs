using Gateway.Configuration;
using Gateway.Coordination;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Queueing.Shadows;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Simulation;

namespace Gateway.Replay;

/// <summary>Runs a workload through the gateway's own core in front of simulated engines, in virtual time. One instance, one run, one thread.</summary>
/// <remarks>
/// At one moment timers fire first, then steps end in the order of the engines, then requests arrive in the order of the trace; idle engines begin a step
/// when all of that is done. Nothing else decides, so a run depends on its inputs alone.
/// </remarks>
public sealed partial class Replayer
{
    private const string Model = "replayed";

    // Samples and scrapes stop this long after the last work: what an idle fleet shows does not change, so a long gap in a trace costs no time.
    private static readonly TimeSpan LongestLook = TimeSpan.FromMinutes(10);

    private readonly ReplaySettings _settings;
    private readonly IRunObserver _observer;
    private readonly VirtualTime _time = new();
    private readonly ReplayedGateway[] _gateways;
    private readonly TimeSpan? _exchangeInterval;
    private readonly Random _spread;
    private readonly SimulatedReplica[] _engines;
    private readonly RequestFactory _factory;
    private readonly SessionLine _sessions = new();
    private readonly Constraints _constraints = new([]) { MayGiveUp = true };
    private TimeSpan _nextScrape;
    private TimeSpan? _nextExchange;
    private int _exchanging;
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
        var shared = policy.Gateways > 1 && policy.ExchangeInterval is not null ? new MemoryState(_time) : null;
        _exchangeInterval = shared is null ? null : policy.ExchangeInterval / (Coordinator.LoadsPerExchange * policy.Gateways);
        _nextExchange = _exchangeInterval;
        _spread = new Random(settings.Seed);
        _gateways = [.. Enumerable.Range(0, policy.Gateways).Select(i => new ReplayedGateway(
            GatewayCore.Create(OptionsOf(settings, policy), _time, new Random(settings.Seed + i), hashKey: 0), shared?.Join($"gateway-{i}"), _time))];
        _engines = [.. Enumerable.Range(0, settings.Replicas).Select(i => new SimulatedReplica(i, settings.Profile, settings.SpeedOf(i)))];
        Scrape();
        foreach (var view in _gateways.SelectMany(gateway => gateway.Views))
        {
            view.OnProbed(ReplicaHealth.Up);
        }
        _factory = new RequestFactory(Model, _gateways[0].Core.Hasher, policy.Lengths, settings);
    }

    /// <summary>What decides, as the first gateway has it.</summary>
    internal ModelPool Pool => _gateways[0].Pool;

    /// <summary>The engines; the first gateway's view of each is at the same place in <see cref="Pool"/>.</summary>
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
            Exchange(now, cancellationToken);
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
            EndHops(now);
            foreach (var engine in _engines)
            {
                engine.Kick(now);
            }
        }
        foreach (var gateway in _gateways)
        {
            gateway.Dispose();
        }
        _observer.OnEnd(_lastEnd - (_firstArrival ?? TimeSpan.Zero), _decisions, [.. _engines.Select(engine => engine.Totals())]);
    }

    private static GatewayOptions OptionsOf(ReplaySettings settings, ReplayPolicy policy)
    {
        var options = policy.Options(Fleet(settings), settings.Seed);
        var queue = policy.HardTtftSlo ? options.Queue with { Classes = settings.Targets } : options.Queue;
        return options with { Queue = queue, Routing = options.Routing with { Shadow = settings.Shadow } };
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
        var next = Earlier(Earlier(arrival, _sessions.NextDue), NextHop);
        foreach (var engine in _engines)
        {
            next = Earlier(next, engine.StepEnd);
        }
        if (next is null && _inFlight == 0)
        {
            return null;
        }
        next = Earlier(next, _time.NextDue);
        // While requests are on their way, and for a while after the last, the clock also stops for scrapes and samples.
        return _inFlight > 0 || _time.Now - _lastEnd < LongestLook ? Earlier(Earlier(next, Earlier(_nextScrape, _nextSample)), _nextExchange) : next;
    }

    // Gateways exchange one after another, spread evenly over the interval, as real ones with unrelated clocks would.
    private void Exchange(TimeSpan now, CancellationToken cancellationToken)
    {
        while (_nextExchange <= now)
        {
            _gateways[_exchanging].Exchange(cancellationToken);
            _exchanging = (_exchanging + 1) % _gateways.Length;
            // Exchanges that were due in a pause without work are skipped.
            _nextExchange = now + _exchangeInterval;
        }
    }

    private void Scrape()
    {
        foreach (var engine in _engines)
        {
            var report = engine.Report(_time.GetTimestamp(), _settings.Room);
            foreach (var gateway in _gateways)
            {
                gateway.Views[engine.Index].Observe(report);
            }
        }
    }

    private void Observe(TimeSpan now)
    {
        if (_nextScrape <= now)
        {
            Scrape();
            _nextScrape = now + _settings.ScrapeInterval;
        }
        if (_nextSample <= now)
        {
            foreach (var engine in _engines)
            {
                _observer.OnSample(engine.Sample(now));
            }
            _observer.OnQueue(new QueueSample(now, _gateways.Sum(gateway => gateway.Waiting)));
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
        var gateway = _gateways[_gateways.Length > 1 ? _spread.Next(_gateways.Length) : 0];
        var request = _factory.Request(row);
        var estimate = gateway.Core.Estimator.Estimate(request, _factory.LengthsOf(row), RequestFactory.BytesPerToken, gateway.Pool.Pool.ContextTokens);
        var flight = new Flight(row, request, estimate, now) { Gateway = gateway };
        _inFlight++;
        flight.Shadowed = gateway.Pool.OnArrived(request, estimate);
        gateway.Pool.Dispatcher.Enter(request, estimate, _constraints, result => Decided(flight, result));
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
        flight.Gateway.Pool.OnDecided(flight.Estimate, result);
        flight.Reservation = reservation;
        if (flight.Shadowed is { } shadowed)
        {
            shadowed.Reservation = reservation;
        }
        if (!flight.WasAdmitted)
        {
            flight.WasAdmitted = true;
            _decisions++;
            flight.AdmittedAt = _time.Now;
        }
        (flight.Seat, flight.IsAway) = (result.Seat, false);
        ChargeTurn(flight, result.Charged);
        flight.PrefixHitTokens = result.PrefixHitTokens;
        flight.PrefixHitAge = result.PrefixHitAge;
        Send(flight, _engines[flight.Gateway.EngineOf(reservation)]);
        flight.Seat?.OnAsked(() => GiveUp(flight));
    }

    private void EndSteps(TimeSpan now)
    {
        foreach (var engine in _engines)
        {
            if (engine.StepEnd is not { } end || end > now)
            {
                continue;
            }
            foreach (var (flight, token, sent) in engine.EndStep())
            {
                // An answer that ended earlier in this loop may have let in a request that preempted this one.
                if (flight.Sent == sent && flight is { IsAway: false, IsOnItsWay: false })
                {
                    Advance(flight, token, now);
                }
            }
        }
    }

    private void Advance(Flight flight, in EngineToken token, TimeSpan now)
    {
        flight.Reservation!.Replica.OnSign();
        flight.GeneratedTokens = flight.EarlierTokens + token.Generated;
        if (token.Generated <= 1)
        {
            Begin(flight, token, now);
        }
        if (token.IsFinished)
        {
            Complete(flight, now);
        }
        else if (flight.Seat is { IsAsked: true })
        {
            GiveUp(flight);
        }
        else if (token.Generated % LoadReservation.ProgressTokens == 0)
        {
            flight.Reservation!.OnProgress(token.Generated, flight.Estimate.Output.RemainingTokens(flight.GeneratedTokens));
            Charge(flight);
        }
    }

    private void Complete(Flight flight, TimeSpan now)
    {
        var row = flight.Trace;
        _inFlight--;
        flight.Reservation!.Replica.OnSuccess();
        if (flight.EarlierTokens == 0)
        {
            // A continued answer is not learned from: its times belong to two replicas.
            flight.Reservation.OnAnswered(new ServedAnswer(row.OutputTokens, row.InputTokens, flight.CachedTokens, _time.GetTimestamp()));
        }
        flight.Reservation.Dispose();
        flight.Seat?.Leave();
        flight.Gateway.Core.Learner.OnCompleted(Completed(flight, now));
        if (flight.EarlierTokens == 0)
        {
            flight.Gateway.Pool.Prefixes.OnReported(flight.Reservation.Replica.Slot, row.InputTokens, flight.PrefixHitTokens, flight.PrefixHitAge, flight.CachedTokens);
        }
        // Traces do not tell why an answer ended: a session's is taken for a call, where it names none of a tool unknown.
        flight.Gateway.Pool.Prefixes.OnToolCall(flight.Request.SessionKey, _factory.ToolOf(row));
        flight.Request.Body.Sketch?.Return();
        if (flight.Shadowed is { } shadowed)
        {
            shadowed.OutputTokens = row.OutputTokens;
            shadowed.Dispose();
        }
        flight.Gateway.Pool.Dispatcher.Settle(flight.Request, flight.Charged, new ServedTokens(row.InputTokens - flight.CachedTokens, row.OutputTokens));
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
