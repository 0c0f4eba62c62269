using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd.Chaos;

/// <summary>Which fault comes when: drawn from a seed, by turns that the requests' progress sets. Each fault is taken back some turns later; at least half of the engines are well.</summary>
internal sealed class ChaosSchedule(ChaosFleet fleet, ChaosGateways gateways, RedisServer? redis, int seed)
{
    private static readonly (string Name, EngineFaults Faults)[] Faults =
    [
        ("hang in the stream", new() { StallAfterTokens = 3 }), ("hang at once", new() { StallAfterTokens = 0 }), ("hang, health too", new() { StallAfterTokens = 5, HangHealth = true }),
        ("slow", new() { ExtraFirstTokenDelay = TimeSpan.FromMilliseconds(200) }), ("corrupt frame", new() { MalformedFrameAt = 2 }), ("corrupt body", new() { NonsenseBody = true }),
        ("wrong length", new() { WrongLength = true }), ("cut without an end", new() { CutWithoutFinish = true }), ("no sentinel", new() { OmitDone = true }),
        ("connection cut in the stream", new() { DieAfterTokens = 4 }), ("connection cut at once", new() { DieAfterTokens = 0 }), ("refused with 503", new() { RefuseStatus = 503 }),
        ("refused with 429", new() { RefuseStatus = 429, RetryAfter = "1" }), ("500 now and then", new() { FailRate = 0.4 }), ("health fails", new() { FailHealth = true }),
    ];

    private readonly Random _chance = new(seed);
    private readonly Queue<(int Turn, Func<Task> Undo)> _undos = new();
    private readonly HashSet<int> _unwell = [];
    private readonly SortedDictionary<string, int> _done = [];
    private bool _isRedisDown;

    /// <summary>Faults injected so far.</summary>
    public int Count => _done.Values.Sum();

    public override string ToString() => $"{Count} faults: {string.Join(", ", _done.Select(fault => $"{fault.Key} {fault.Value}"))}";

    /// <summary>Takes back what is due, and does the next thing.</summary>
    public async Task TurnAsync(int turn)
    {
        while (_undos.TryPeek(out var due) && due.Turn <= turn)
        {
            await _undos.Dequeue().Undo();
        }
        switch (_chance.Next(10))
        {
            case 0 when gateways.Stopped <= turn / 10:
                await gateways.ReplaceAsync(_chance.Next(gateways.Addresses.Count));
                Note("gateway stopped and replaced");
                break;
            case 1 when redis is not null && !_isRedisDown:
                _isRedisDown = true;
                await redis.KillAsync();
                Note("Redis killed and back");
                _undos.Enqueue((turn + 2, ReviveRedisAsync));
                break;
            case 2 or 3:
                await WithEngineAsync(turn, "engine killed and back", fleet.KillAsync, fleet.ReviveAsync);
                break;
            case 4 or 5:
                await WithEngineAsync(turn, "engine out of DNS and back", i => Named(i, false), i => Named(i, true));
                break;
            default:
                var (name, faults) = Faults[_chance.Next(Faults.Length)];
                await WithEngineAsync(turn, name, i => Misbehave(i, faults), i => Misbehave(i, EngineFaults.None));
                break;
        }
    }

    /// <summary>Takes everything back.</summary>
    public async Task EndAsync()
    {
        while (_undos.TryDequeue(out var due))
        {
            await due.Undo();
        }
    }

    private async Task WithEngineAsync(int turn, string name, Func<int, Task> harm, Func<int, Task> heal)
    {
        var index = _chance.Next(fleet.Count);
        if (_unwell.Count >= fleet.Count / 2 || !_unwell.Add(index))
        {
            return;
        }
        await harm(index);
        Note(name);
        _undos.Enqueue((turn + 3, HealAsync));

        async Task HealAsync()
        {
            await heal(index);
            _unwell.Remove(index);
        }
    }

    private Task Misbehave(int index, EngineFaults faults)
    {
        fleet.Misbehave(index, faults);
        return Task.CompletedTask;
    }

    private Task Named(int index, bool isNamed)
    {
        fleet.SetNamed(index, isNamed);
        return Task.CompletedTask;
    }

    private async Task ReviveRedisAsync()
    {
        await redis!.StartAsync();
        _isRedisDown = false;
    }

    private void Note(string name) => _done[name] = _done.GetValueOrDefault(name) + 1;
}
