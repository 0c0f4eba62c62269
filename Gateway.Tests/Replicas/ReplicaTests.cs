using Gateway.Replicas;
using Gateway.Tests.Fakes;
using Xunit.Abstractions;

namespace Gateway.Tests.Replicas;

public sealed class ReplicaTests(ITestOutputHelper output)
{
    private static readonly LoadProfile Small = new(PromptTokens: 100, UncachedTokens: 40, OutputTokens: 20.5, Sequences: 1);

    private readonly ManualTime _time = new();

    [Fact]
    public void TryReserve_BeforeTheFirstProbe_GivesNothing()
    {
        var replica = New(new());

        Assert.Equal(ReplicaHealth.Unknown, replica.Health);
        Assert.Null(replica.TryReserve(Small, 1));
    }

    [Theory]
    [InlineData(ReplicaHealth.Down)]
    [InlineData(ReplicaHealth.WrongModel)]
    public void TryReserve_AfterABadProbe_GivesNothing(ReplicaHealth verdict)
    {
        var replica = Up(new());

        replica.OnProbed(verdict);

        Assert.Equal(verdict, replica.Health);
        Assert.Null(replica.TryReserve(Small, 1));
    }

    [Fact]
    public void TryReserve_WithRoom_ChargesEveryCounterAtOnce()
    {
        var replica = Up(new());

        using var reservation = replica.TryReserve(Small with { Sequences = 2 }, 1);

        var load = replica.Snapshot();
        Assert.Equal((1, 2, 121L, 40L, 20.5), (load.RunningRequests, load.RunningSequences, load.ReservedTokens, load.QueuedPrefillTokens, load.OutstandingTokens));
    }

    [Fact]
    public void TryReserve_BeyondTheShareOfTheRoom_GivesNothingUntilRoomReturns()
    {
        var replica = Up(new() { KvTokens = 300 });
        var first = replica.TryReserve(Small, 0.8);
        var second = replica.TryReserve(Small, 0.8);
        using var whole = replica.TryReserve(Small, 1);
        var woken = 0;
        replica.RoomReturned += () => woken++;

        first!.Dispose();

        Assert.Null(second);
        Assert.NotNull(whole);
        Assert.Equal(1, woken);
        Assert.Equal(121, replica.Snapshot().ReservedTokens);
    }

    [Fact]
    public void TryReserve_BeyondTheSlots_CountsSequencesNotRequests()
    {
        var replica = Up(new() { Slots = 3 });
        using var two = replica.TryReserve(Small with { Sequences = 2 }, 1);

        var twoMore = replica.TryReserve(Small with { Sequences = 2 }, 1);
        using var oneMore = replica.TryReserve(Small, 1);

        Assert.Null(twoMore);
        Assert.NotNull(oneMore);
    }

    [Fact]
    public void TryReserve_OfMoreThanTheRoom_IsAdmittedByAnEmptyReplicaOnly()
    {
        var replica = Up(new() { KvTokens = 50 });

        using var alone = replica.TryReserve(Small, 1);

        Assert.NotNull(alone);
        Assert.Null(replica.TryReserve(Small, 1));
    }

    [Fact]
    public void TryReserve_WithLimitsOfTheEngine_YieldsToConfiguredOnes()
    {
        var reported = Up(new());
        var configured = Up(new() { Slots = 2 });
        foreach (var replica in new[] { reported, configured })
        {
            replica.Observe(new EngineReport { ReadAt = _time.GetTimestamp(), Slots = 1 });
        }

        var counts = new[] { reported, configured }.Select(replica => Enumerable.Range(0, 5).Count(_ => replica.TryReserve(Small, 1) is not null));

        Assert.Equal([1, 2], counts);
    }

    [Fact]
    public void OnFirstToken_OfOneRequest_ReturnsItsPrefillOnly()
    {
        var replica = Up(new());
        using var one = replica.TryReserve(Small, 1);
        using var other = replica.TryReserve(Small, 1);

        one!.OnFirstToken();
        one.OnFirstToken();

        var load = replica.Snapshot();
        Assert.Equal((40L, 242L, 41.0), (load.QueuedPrefillTokens, load.ReservedTokens, load.OutstandingTokens));
    }

    [Theory]
    [InlineData("part")]
    [InlineData("first token")]
    [InlineData("progress")]
    [InlineData("end")]
    public void Snapshot_AfterAnySignOfTheReplica_CountsAsJoiningOnlyWhatWasSentSince(string sign)
    {
        var replica = Up(new());
        using var one = replica.TryReserve(Small, 1);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        using var other = replica.TryReserve(Small, 1);
        var before = replica.Snapshot();

        _time.Advance(TimeSpan.FromMilliseconds(1));
        _ = sign switch { "part" => Do(replica.OnSign), "first token" => Do(one!.OnFirstToken), "progress" => Do(() => one!.OnProgress(16, 5)), _ => Do(one!.Dispose) };
        var after = replica.Snapshot();
        _time.Advance(TimeSpan.FromMilliseconds(1));
        using var next = replica.TryReserve(Small, 1);

        // The first one began at once, since nothing else was there.
        Assert.Equal((40L, 0L, 40L), (before.JoiningPrefillTokens, after.JoiningPrefillTokens, replica.Snapshot().JoiningPrefillTokens));
        Assert.Equal(TimeSpan.FromMilliseconds(2), _time.GetElapsedTime(before.StepBeganAt, after.StepBeganAt));

        static bool Do(Action act)
        {
            act();
            return true;
        }
    }

    [Fact]
    public void OnProgress_WhenLessRemains_ReturnsRoomAndWakes()
    {
        var replica = Up(new());
        using var reservation = replica.TryReserve(Small, 1);
        var woken = 0;
        replica.RoomReturned += () => woken++;

        reservation!.OnProgress(10, 30);
        var grown = replica.Snapshot();
        reservation.OnProgress(15, 2);
        var shrunk = replica.Snapshot();

        Assert.Equal((140L, 30.0), (grown.ReservedTokens, grown.OutstandingTokens));
        Assert.Equal((117L, 2.0), (shrunk.ReservedTokens, shrunk.OutstandingTokens));
        Assert.Equal(1, woken);
    }

    [Fact]
    public void OnProgress_AfterTheReturn_ChangesNothing()
    {
        var replica = Up(new());
        var reservation = replica.TryReserve(Small, 1);
        reservation!.Dispose();

        reservation.OnProgress(50, 50);
        reservation.Dispose();

        Assert.Equal((0, 0L, 0.0), (replica.Snapshot().RunningRequests, replica.Snapshot().ReservedTokens, replica.Snapshot().OutstandingTokens));
    }

    [Fact]
    public void Health_WithSeveralReasons_NamesDrainingThenProbesThenFaults()
    {
        var replica = Up(new());
        for (var i = 0; i < 3; i++)
        {
            replica.OnFault();
        }
        var suspended = replica.Health;
        replica.OnProbed(ReplicaHealth.Down);
        var down = replica.Health;
        replica.SetDraining(true);
        var draining = replica.Health;
        replica.SetDraining(false);
        replica.OnProbed(ReplicaHealth.Up);
        replica.OnSuccess();

        Assert.Equal((ReplicaHealth.Suspended, ReplicaHealth.Down, ReplicaHealth.Draining), (suspended, down, draining));
        Assert.Equal(ReplicaHealth.Up, replica.Health);
    }

    [Fact]
    public void TryReserve_WhileSuspended_SendsOneTrialAtATime()
    {
        var replica = Up(new());
        var old = replica.TryReserve(Small, 1);
        for (var i = 0; i < 3; i++)
        {
            replica.OnFault();
        }
        var during = replica.TryReserve(Small, 1);
        _time.Advance(TimeSpan.FromSeconds(10));

        var trial = replica.TryReserve(Small, 1);
        var second = replica.TryReserve(Small, 1);
        replica.OnSuccess();
        var after = replica.TryReserve(Small, 1);

        Assert.NotNull(old);
        Assert.Null(during);
        Assert.NotNull(trial);
        Assert.Null(second);
        Assert.NotNull(after);
    }

    [Fact]
    public void SetDraining_WithAnswersRunning_LeavesThemTheirRoom()
    {
        var replica = Up(new());
        using var running = replica.TryReserve(Small, 1);

        replica.SetDraining(true);

        Assert.Null(replica.TryReserve(Small, 1));
        Assert.Equal(121, replica.Snapshot().ReservedTokens);
    }

    [Fact]
    public void Observe_OfAnOlderReport_IsIgnored()
    {
        var replica = New(new());
        replica.Observe(new EngineReport { ReadAt = 20, RunningRequests = 2 });

        replica.Observe(new EngineReport { ReadAt = 10, RunningRequests = 1 });

        Assert.Equal(2, replica.Report.RunningRequests);
    }

    [Fact]
    public void OnProbed_WhenItComesUp_WakesOnce()
    {
        var replica = New(new());
        var woken = 0;
        replica.RoomReturned += () => woken++;

        replica.OnProbed(ReplicaHealth.Up);
        replica.OnProbed(ReplicaHealth.Up);

        Assert.Equal(1, woken);
    }

    [Fact]
    public async Task Ledger_UnderRandomUseFromManyThreads_EndsAtZero()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var replica = Up(new() { KvTokens = 5_000, Slots = 24 });
        var refused = 0;

        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(() =>
        {
            var chance = new Random(seed + worker);
            var held = new List<LoadReservation>();
            for (var i = 0; i < 5_000; i++)
            {
                var prompt = chance.Next(0, 400);
                var load = new LoadProfile(prompt, chance.Next(0, prompt + 1), chance.NextDouble() * 300, chance.Next(1, 4));
                if (replica.TryReserve(load, 0.9) is { } taken)
                {
                    held.Add(taken);
                }
                else
                {
                    Interlocked.Increment(ref refused);
                }
                foreach (var reservation in held)
                {
                    switch (chance.Next(6))
                    {
                        case 0:
                            reservation.OnFirstToken();
                            break;
                        case 1:
                            reservation.OnProgress(chance.Next(0, 200), chance.NextDouble() * 100);
                            break;
                    }
                }
                if (held.Count > 0 && chance.Next(3) > 0)
                {
                    var index = chance.Next(held.Count);
                    held[index].Dispose();
                    if (chance.Next(2) == 0)
                    {
                        held[index].OnProgress(7, 7);
                        held.RemoveAt(index);
                    }
                }
                var seen = replica.Snapshot();
                Assert.True(seen is { RunningRequests: >= 0, ReservedTokens: >= 0, QueuedPrefillTokens: >= 0, OutstandingTokens: >= 0, RunningSequences: <= 24 }, $"seed {seed}: {seen}");
            }
            held.ForEach(reservation => reservation.Dispose());
        })));

        var end = replica.Snapshot();
        Assert.Equal((0, 0, 0L, 0L, 0.0), (end.RunningRequests, end.RunningSequences, end.ReservedTokens, end.QueuedPrefillTokens, end.OutstandingTokens));
        Assert.True(refused > 0, $"seed {seed}: the limits were never met");
    }

    private Replica Up(ReplicaOptions options)
    {
        var replica = New(options);
        replica.OnProbed(ReplicaHealth.Up);
        return replica;
    }

    private Replica New(ReplicaOptions options) =>
        new(options, new Uri("http://engine:8000"), "engine:8000", 0, new FaultLimits(3, TimeSpan.FromSeconds(10)), _time);
}
