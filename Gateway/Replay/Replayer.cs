using Gateway.Queueing.Shadows;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;

namespace Gateway.Replay;

/// <summary>Runs a workload through the gateway's own core in front of simulated engines, in virtual time. One instance, one run, one thread.</summary>
/// <remarks>
/// At one moment timers fire first, then steps end in the order of the engines, then requests arrive in the order of the trace; idle engines begin a step
/// when all of that is done. Nothing else decides, so a run depends on its inputs alone.
/// </remarks>
public sealed class Replayer
{
    // Samples and scrapes stop this long after the last work: what an idle fleet shows does not change, so a long gap in a trace costs no time.
    private static readonly TimeSpan LongestLook = TimeSpan.FromMinutes(10);

    private readonly ReplaySettings _settings;
    private readonly IRunObserver _observer;
    private readonly VirtualTime _time = new();
    private readonly ReplayedGateways _gateways;
    private readonly SimulatedReplica[] _engines;
    private readonly Hops _hops;
    private readonly Flights _flights;
    private readonly SessionLine _sessions = new();
    private TimeSpan _nextScrape;
    private TimeSpan _nextSample;
    private TimeSpan? _firstArrival;
    private TimeSpan _lastEnd;

    /// <param name="settings">Fleet and seed.</param>
    /// <param name="policy">What decides.</param>
    /// <param name="observer">Hears what is measured.</param>
    public Replayer(ReplaySettings settings, ReplayPolicy policy, IRunObserver observer)
    {
        _settings = settings;
        _observer = observer;
        _gateways = new ReplayedGateways(settings, policy, _time);
        _engines = [.. Enumerable.Range(0, settings.Replicas).Select(i => new SimulatedReplica(i, settings.Profile, settings.SpeedOf(i)))];
        Scrape();
        _gateways.Probe();
        var factory = new RequestFactory(ReplayedGateways.Model, _gateways.First.Core.Hasher, policy.Lengths, settings);
        _hops = new Hops(settings.HopTime, factory);
        _flights = new Flights(_gateways, _engines, factory, _hops, _time, OnEnded);
    }

    /// <summary>What decides, as the first gateway has it.</summary>
    internal ModelPool Pool => _gateways.First.Pool;

    /// <summary>The engines; the first gateway's view of each is at the same place in <see cref="Pool"/>.</summary>
    internal IReadOnlyList<SimulatedReplica> Engines => _engines;

    /// <summary>How often a request gave up its place before its first token.</summary>
    public long Requeued => _flights.Requeued;

    /// <summary>How often an answer that had begun was stopped to go on later.</summary>
    public long Interrupted => _flights.Interrupted;

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
            _gateways.Exchange(now, cancellationToken);
            EndSteps(now);
            while (hasRow && rows.Current.Arrival <= now)
            {
                Arrive(rows.Current, now);
                hasRow = rows.MoveNext();
            }
            while (_sessions.NextDue <= now)
            {
                _flights.Start(_sessions.TakeDue(), now);
            }
            _hops.End(now);
            foreach (var engine in _engines)
            {
                engine.Kick(now);
            }
        }
        // What the last moment left to a timer still belongs to it.
        _time.AdvanceTo(_time.Now);
        _gateways.Close();
        _observer.OnEnd(_lastEnd - (_firstArrival ?? TimeSpan.Zero), _flights.Decisions, [.. _engines.Select(engine => engine.Totals())]);
    }

    /// <summary>The next moment at which anything happens; null: everything has ended.</summary>
    private TimeSpan? Next(TimeSpan? arrival)
    {
        var next = Earlier(Earlier(arrival, _sessions.NextDue), _hops.NextEnd);
        foreach (var engine in _engines)
        {
            next = Earlier(next, engine.StepEnd);
        }
        if (next is null && _flights.Count == 0)
        {
            return null;
        }
        next = Earlier(next, _time.NextDue);
        // While requests are on their way, and for a while after the last, the clock also stops for scrapes and samples.
        return _flights.Count > 0 || _time.Now - _lastEnd < LongestLook ? Earlier(Earlier(next, Earlier(_nextScrape, _nextSample)), _gateways.NextExchange) : next;
    }

    private void Scrape()
    {
        foreach (var engine in _engines)
        {
            _gateways.Observe(engine.Index, engine.Report(_time.GetTimestamp(), _settings.Room));
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
            _observer.OnQueue(new QueueSample(now, _gateways.Waiting));
            _nextSample = now + _settings.SampleInterval;
        }
    }

    private void Arrive(TraceRequest row, TimeSpan now)
    {
        _firstArrival ??= now;
        if (_sessions.MayStart(row, now))
        {
            _flights.Start(row, now);
        }
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
                _flights.Advance(flight, token, sent, now);
            }
        }
    }

    private void OnEnded(RequestResult result, TraceRequest row, TimeSpan now)
    {
        _lastEnd = now;
        _observer.OnRequest(result);
        _sessions.OnEnded(row, now);
    }

    private static TimeSpan? Earlier(TimeSpan? a, TimeSpan? b) => a is null ? b : b is null ? a : a < b ? a : b;
}
