using Gateway.Replay.Reports;
using Gateway.Replicas;
using Gateway.Simulation;

namespace Gateway.Replay;

/// <summary>One engine in virtual time. Used by one run.</summary>
internal sealed class SimulatedReplica(int index, EngineProfile profile, double speed)
{
    private Flight?[] _flights = new Flight?[64];
    private (Flight Flight, EngineToken Token, int Sent)[] _ended = [];
    private double _busySeconds;

    public int Index { get; } = index;

    public EngineModel Model { get; } = new(profile, SchedulingPolicy.Fcfs);

    /// <summary>When the step in progress ends; null: idle.</summary>
    public TimeSpan? StepEnd { get; private set; }

    /// <summary>Puts a request into the engine; it is looked at when the next step begins.</summary>
    public void Submit(Flight flight, in EngineRequest request)
    {
        var handle = Model.Submit(request);
        if (handle >= _flights.Length)
        {
            Array.Resize(ref _flights, Math.Max(2 * _flights.Length, handle + 1));
        }
        _flights[handle] = flight;
        flight.Handle = handle;
        flight.Sent++;
    }

    /// <summary>Takes a request out, whether it waits or runs.</summary>
    public void Cancel(Flight flight) => Model.Cancel(flight.Handle);

    /// <summary>Begins a step where none is in progress and there is work.</summary>
    public void Kick(TimeSpan now)
    {
        if (Model.IsStepping)
        {
            return;
        }
        var step = Model.BeginStep() / speed;
        StepEnd = step > TimeSpan.Zero ? now + step : null;
        _busySeconds += step.TotalSeconds;
    }

    /// <summary>Ends the step in progress: what it brought to whom.</summary>
    /// <remarks>Resolved before anybody hears of it: an ending lets the next request in, and the engine gives that one a handle that has just become free.</remarks>
    public ReadOnlySpan<(Flight Flight, EngineToken Token, int Sent)> EndStep()
    {
        StepEnd = null;
        var tokens = Model.EndStep();
        if (_ended.Length < tokens.Length)
        {
            _ended = new (Flight, EngineToken, int)[2 * tokens.Length];
        }
        for (var i = 0; i < tokens.Length; i++)
        {
            var flight = _flights[tokens[i].Handle]!;
            _ended[i] = (flight, tokens[i], flight.Sent);
        }
        return _ended.AsSpan(0, tokens.Length);
    }

    /// <summary>What a scrape of its metrics would tell.</summary>
    /// <param name="readAt">When.</param>
    /// <param name="room">How much of its KV room.</param>
    public EngineReport Report(long readAt, RoomKnowledge room)
    {
        var counters = Model.Counters;
        return new EngineReport
        {
            ReadAt = readAt,
            LoadReadAt = readAt,
            Engine = EngineKind.Vllm,
            RunningRequests = counters.Running,
            WaitingRequests = counters.Waiting,
            KvUsage = room == RoomKnowledge.Queue ? null : counters.KvUsage,
            KvCapacityTokens = room == RoomKnowledge.Capacity ? Model.Profile.KvTokens : null,
            ContextTokens = Model.Profile.MaxModelTokens,
            Preemptions = counters.Preemptions,
            CachesPrefixes = Model.Profile.CachesPrefixes,
            PrefixHitTokens = counters.PrefixHitTokens,
            PrefixQueryTokens = counters.PrefixQueryTokens,
            Progress = counters.Steps,
        };
    }

    public ReplicaSample Sample(TimeSpan now)
    {
        var counters = Model.Counters;
        return new ReplicaSample(now, Index, counters.Running, counters.Waiting, counters.KvUsage);
    }

    public EngineTotals Totals()
    {
        var counters = Model.Counters;
        return new EngineTotals(
            counters.Steps, _busySeconds, counters.Preemptions, counters.PrefixQueryTokens, counters.PrefixHitTokens, counters.StepTokens);
    }
}
