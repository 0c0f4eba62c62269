using BenchmarkDotNet.Attributes;
using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does it cost, where many wait, to choose by DLPM beside a look at each, and to go back to an earlier place as those do who waited for a sibling?</summary>
[MemoryDiagnoser]
public class WaitingBenchmarks : IDisposable
{
    private const int Clients = 100;

    private readonly CorePool _world = new();
    private readonly DeficitOrder _order = new(new FcfsOrder(), 16_384, new NothingCached(), TimeSpan.FromHours(1));
    private readonly WaitingHeap _heap = new();
    private Waiter[] _waiting = [];
    private Waiter[] _line = [];
    private int _next;

    [Params(1_000, 10_000)]
    public int Waiting { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _waiting = new Waiter[Waiting];
        for (var i = 0; i < Waiting; i++)
        {
            var request = CorePool.Request() with { TenantKey = 1 + (ulong)(i % Clients) };
            _waiting[i] = new Waiter(_world.Dispatcher, request, CorePool.Cost(), Constraints.None, _ => { }) { Rank = i, Sequence = 1 + i };
            _heap.Add(_waiting[i]);
        }
        _line = [.. _waiting];
        // No order by arrival is left in a queue of some age.
        new Random(1).Shuffle(_waiting);
    }

    [Benchmark(Baseline = true)]
    public int LookAtEach() => Selecting.Least(_waiting, static waiter => waiter.Sequence);

    [Benchmark]
    public int ChooseByDeficit() => _order.Select(_waiting, TimeSpan.Zero);

    [Benchmark]
    public void GoBackToAnEarlierPlace()
    {
        // A line returns in the order of its coming.
        var waiter = _line[_next++ % Waiting];
        _heap.Remove(waiter);
        _heap.Add(waiter);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _world.Dispose();
        GC.SuppressFinalize(this);
    }

    private sealed class NothingCached : IPrefixSight
    {
        public int LongestHit(InferenceRequest request, int promptTokens) => 0;
    }
}
