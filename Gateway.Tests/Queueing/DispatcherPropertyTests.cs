using System.Collections.Concurrent;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Queueing;

/// <summary>What must hold whatever happens: nobody is lost or told twice, and every token of room comes back.</summary>
public sealed class DispatcherPropertyTests(ITestOutputHelper output)
{
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public void Enter_TwentyThousandTimesAtRandom_LosesNobodyAndReturnsAllRoom(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        using var world = new CorePool(4, slots: 8, kvTokens: 4_000, new QueueOptions { MaxWait = MaxWait, MaxWaiting = 40 });
        var open = new List<(CorePool.Entry Entry, TimeSpan At)>();
        var running = new List<CorePool.Entry>();
        var all = new List<CorePool.Entry>();
        var clock = TimeSpan.Zero;

        for (var i = 0; i < 20_000;)
        {
            switch (chance.Next(10))
            {
                case < 4 when open.Count + running.Count < 64:
                    var priority = (PriorityClass)chance.Next(3);
                    var deadline = chance.Next(10) == 0 ? TimeSpan.FromMilliseconds(chance.Next(1, 5_000)) : (TimeSpan?)null;
                    var constraints = chance.Next(12) == 0 ? new Constraints([], world.Pool.At(chance.Next(6))) : Constraints.None;
                    var entry = world.Enter(CorePool.Request(i.ToString(System.Globalization.CultureInfo.InvariantCulture), priority, deadline: deadline, blocks: Blocks(chance)),
                        CorePool.Cost(chance.Next(1, 2_000), chance.Next(1, 800), chance.Next(1, 3)), constraints);
                    all.Add(entry);
                    open.Add((entry, clock));
                    i++;
                    break;
                case < 6 when running.Count > 0:
                    var at = chance.Next(running.Count);
                    var ended = running[at];
                    running.RemoveAt(at);
                    ended.Result!.Value.Reservation!.OnProgress(chance.Next(1, 900), chance.Next(900));
                    ended.Done();
                    break;
                case 6 when open.Count > 0:
                    open[chance.Next(open.Count)].Entry.Waiter!.Cancel();
                    break;
                case 7:
                    var step = TimeSpan.FromMilliseconds(chance.Next(2_000));
                    world.Time.Advance(step);
                    clock += step;
                    break;
                case 8:
                    Disturb(world, chance);
                    break;
                default:
                    if (running.Count > 0)
                    {
                        running[chance.Next(running.Count)].Result!.Value.Reservation!.OnProgress(chance.Next(1, 900), chance.NextDouble() * 900);
                    }
                    break;
            }
            open.RemoveAll(pair =>
            {
                if (pair.Entry.Outcome == AdmissionOutcome.Admitted)
                {
                    running.Add(pair.Entry);
                }
                return pair.Entry.TimesTold > 0;
            });
            Assert.All(open, pair => Assert.True(clock - pair.At < MaxWait, $"{pair.Entry.Id} waits longer than it may"));
            Assert.Equal(open.Count, Enum.GetValues<PriorityClass>().Sum(world.Dispatcher.Waiting));
            Assert.Equal(running.Count, world.Pool.ReplicaList.Sum(replica => replica.Snapshot().RunningRequests) + running.Count(entry => !IsInPool(world, entry)));
        }
        world.Time.Advance(MaxWait);
        foreach (var entry in all.Where(entry => entry.Outcome == AdmissionOutcome.Admitted))
        {
            entry.Done();
        }

        Assert.All(all, entry => Assert.Equal(1, entry.TimesTold));
        Assert.All(all.Where(entry => entry.Outcome == AdmissionOutcome.Admitted).Select(entry => entry.Result!.Value.Reservation!.Replica).Distinct(), AssertIdle);
        Assert.All(all.Select(entry => entry.Outcome!.Value).Distinct().ToList(), outcome => output.WriteLine($"{outcome}: {all.Count(entry => entry.Outcome == outcome)}"));
        Assert.InRange(all.Count(entry => entry.Outcome == AdmissionOutcome.Admitted), 5_000, 20_000);
    }

    [Theory]
    [InlineData(21)]
    [InlineData(22)]
    public void Enter_AtRandom_KeepsClassesInOrderAndNoRoomUnused(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        using var world = new CorePool(3, slots: 4, kvTokens: 3_000, new QueueOptions { MaxWait = TimeSpan.FromHours(1), ReservedShare = 0, OvertakingLimit = TimeSpan.Zero });
        var waiting = new List<(CorePool.Entry Entry, PriorityClass Class, LoadProfile Load)>();
        var running = new List<CorePool.Entry>();
        var admitted = 0;

        while (admitted < 5_000)
        {
            if (chance.Next(2) == 0 && waiting.Count < 60)
            {
                var (prompt, tokens, priority) = (chance.Next(1, 1_500), chance.Next(1, 500), (PriorityClass)chance.Next(3));
                var entry = world.Enter(CorePool.Request("q", priority), CorePool.Cost(prompt, tokens));
                waiting.Add((entry, priority, new LoadProfile(prompt, prompt, tokens, 1)));
            }
            else if (running.Count > 0)
            {
                var at = chance.Next(running.Count);
                var ended = running[at];
                running.RemoveAt(at);
                ended.Done();
            }

            // First come, first served within a class, and no class before a more urgent one.
            var turns = waiting.Where(line => line.Entry.TimesTold > 0).ToList();
            foreach (var turn in turns)
            {
                Assert.DoesNotContain(waiting, line => line.Entry.TimesTold == 0 && line.Class < turn.Class);
                Assert.DoesNotContain(waiting.TakeWhile(line => line.Entry != turn.Entry), line => line.Entry.TimesTold == 0 && line.Class == turn.Class);
                running.Add(turn.Entry);
                admitted++;
            }
            waiting.RemoveAll(line => line.Entry.TimesTold > 0);

            // Whoever is first waits only while no replica has room for it.
            if (waiting.Count > 0)
            {
                var head = waiting.MinBy(line => line.Class);
                Assert.All(world.Pool.ReplicaList, replica => Assert.False(replica.Snapshot(head.Load, world.Plan.Admission, world.Plan.Queue.CapacityShare).HasRoom));
            }
        }
    }

    [Fact]
    public async Task EnterAsync_FromManyThreadsWithDepartures_DecidesEachExactlyOnce()
    {
        using var world = new CorePool(2, slots: 1, queue: new QueueOptions { MaxWaiting = 1_000, MaxWait = TimeSpan.FromHours(1) });
        var outcomes = new ConcurrentDictionary<AdmissionOutcome, int>();
        var overfull = 0;
        // Full until everybody has asked once: some of those who leave then leave while they wait, however the threads run.
        var full = Enumerable.Range(0, 2).Select(_ => world.Enter(CorePool.Request()).Result!.Value.Reservation!).ToArray();
        using var begun = new CountdownEvent(16);

        var working = Task.WhenAll(Enumerable.Range(0, 16).Select(worker => Task.Run(async () =>
        {
            var chance = new Random(worker);
            for (var i = 0; i < 750; i++)
            {
                using var leaves = new CancellationTokenSource();
                var turn = world.Dispatcher.EnterAsync(CorePool.Request(), CorePool.Cost(), Constraints.None, leaves.Token);
                if (i == 0 ? worker % 4 == 0 : chance.Next(4) == 0)
                {
                    await leaves.CancelAsync();
                }
                if (i == 0)
                {
                    begun.Signal();
                }
                var result = await turn;
                outcomes.AddOrUpdate(result.Outcome, 1, (_, count) => count + 1);
                if (result.Reservation is { } reservation)
                {
                    Interlocked.Add(ref overfull, reservation.Replica.Snapshot().RunningSequences > 1 ? 1 : 0);
                    await Task.Yield();
                    await Task.Yield();
                    reservation.Dispose();
                    reservation.Dispose();
                }
            }
        })));
        Assert.True(begun.Wait(TimeSpan.FromMinutes(1)));
        Array.ForEach(full, reservation => reservation.Dispose());
        await working.WaitAsync(TimeSpan.FromMinutes(1));

        Assert.Equal(12_000, outcomes.Values.Sum());
        Assert.Equal(0, overfull);
        Assert.Equal(2, outcomes.Keys.Count(outcome => outcome is AdmissionOutcome.Admitted or AdmissionOutcome.CanceledByClient));
        Assert.Equal(2, outcomes.Count);
        Assert.All(world.Pool.ReplicaList, AssertIdle);
        Assert.Equal(0, world.Dispatcher.Waiting(PriorityClass.Default));
    }

    [Fact]
    public async Task Enter_WhileReplicasComeAndGoOnOtherThreads_AlwaysFindsItsBuffers()
    {
        using var world = new CorePool(2, slots: null, routing: new RoutingOptions { Policy = "least_requests" });
        using var stop = new CancellationTokenSource();
        var changes = Task.Run(() =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                world.SetReplicas([.. Enumerable.Range(0, i % 2 == 0 ? 90 : 2).Select(number => CorePool.Place(number, null))]);
            }
        });

        var told = 0;
        for (var i = 0; i < 5_000; i++)
        {
            var entry = world.Enter(CorePool.Request());
            told += entry.TimesTold;
            entry.Result?.Reservation?.Dispose();
        }
        await stop.CancelAsync();
        await changes;

        Assert.InRange(told, 1, 5_000);
    }

    private static void Disturb(CorePool world, Random chance)
    {
        switch (chance.Next(6))
        {
            case 0:
                world.SetReplicas([.. Enumerable.Range(0, 6).Where(_ => chance.Next(3) > 0).Select(number => CorePool.Place(number, chance.Next(2, 8), chance.Next(2) == 0 ? null : 4_000))]);
                break;
            case 1 when world.Pool.Replicas.Length > 0:
                world.Pool.Replicas[chance.Next(world.Pool.Replicas.Length)].OnFault();
                break;
            case 2 when world.Pool.Replicas.Length > 0:
                world.Pool.Replicas[chance.Next(world.Pool.Replicas.Length)].BackOff(TimeSpan.FromMilliseconds(chance.Next(3_000)));
                break;
            case 3 when world.Pool.Replicas.Length > 0:
                world.Pool.Replicas[chance.Next(world.Pool.Replicas.Length)].OnProbed(chance.Next(3) == 0 ? ReplicaHealth.Down : ReplicaHealth.Up);
                break;
            case 4:
                foreach (var replica in world.Pool.Replicas)
                {
                    replica.Observe(new EngineReport
                    {
                        ReadAt = world.Time.GetTimestamp(),
                        KvCapacityTokens = chance.Next(3) == 0 ? null : chance.Next(1_000, 6_000),
                        KvUsage = chance.NextDouble(),
                        RunningRequests = chance.Next(8),
                        WaitingRequests = chance.Next(3),
                        Preemptions = chance.Next(100),
                    });
                }
                break;
            default:
                foreach (var replica in world.Pool.Replicas)
                {
                    replica.OnSuccess();
                    replica.OnProbed(ReplicaHealth.Up);
                }
                break;
        }
    }

    private static ulong[] Blocks(Random chance)
    {
        var blocks = new ulong[chance.Next(4)];
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = (i == 0 ? 1 : 31 * blocks[i - 1]) + (ulong)chance.Next(1, 3);
        }
        return blocks;
    }

    private static bool IsInPool(CorePool world, CorePool.Entry entry) =>
        world.Pool.ReplicaList.Contains(entry.Result!.Value.Reservation!.Replica);

    private static void AssertIdle(Replica replica)
    {
        var now = replica.Snapshot();
        Assert.Equal((0, 0, 0L, 0L, 0.0), (now.RunningRequests, now.RunningSequences, now.ReservedTokens, now.QueuedPrefillTokens, now.OutstandingTokens));
    }
}
