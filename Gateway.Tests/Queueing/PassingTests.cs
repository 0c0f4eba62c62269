using Gateway.Configuration;
using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>A turn without a wait: decided at once, and nothing made for it but the reservation.</summary>
public sealed class PassingTests
{
    private const int Rounds = 200;

    [Theory]
    [InlineData(0)]
    [InlineData(60)]
    public void EnterAsync_WhileThereIsRoom_AllocatesTheReservationAlone(int deadlineSeconds)
    {
        using var core = GatewayCore.Create(new GatewayOptions { Models = [new() { Name = "m" }] }, new ManualTime(), new Random(1), hashKey: 1);
        var model = core.Find("m")!;
        model.Pool.SetReplicas([.. Enumerable.Range(0, 16).Select(i => CorePool.Place(i, slots: 64, kvTokens: 40_000))]);
        foreach (var replica in model.Pool.Replicas)
        {
            replica.OnProbed(ReplicaHealth.Up);
        }
        var deadline = deadlineSeconds > 0 ? TimeSpan.FromSeconds(deadlineSeconds) : (TimeSpan?)null;
        var request = CorePool.Request(blocks: [1, 2, 3, 4], session: 5, deadline: deadline);
        var estimate = CorePool.Cost();
        PassThrough(model.Dispatcher, request, estimate);

        var reservations = Allocated(() => _ = new LoadReservation(model.Pool.Replicas[0], default));
        var decisions = Allocated(() => PassThrough(model.Dispatcher, request, estimate));

        Assert.Equal(reservations, decisions);
    }

    [Fact]
    public void TryPass_WhileThereIsRoom_DecidesAsEntering()
    {
        using var passing = new CorePool(replicas: 4, slots: 8);
        using var entering = new CorePool(replicas: 4, slots: 8);
        for (var i = 0; i < 32; i++)
        {
            var request = CorePool.Request(blocks: [(ulong)(i % 3) + 1, (ulong)i + 100], session: (ulong)(i % 5));

            var passed = passing.Dispatcher.TryPass(request, CorePool.Cost(), Constraints.None)!.Value;
            var entered = entering.Enter(request).Result!.Value;

            Assert.Equal(entered.Reservation!.Replica.Id, passed.Reservation!.Replica.Id);
            Assert.Equal(entered with { Reservation = null }, passed with { Reservation = null });
        }
    }

    [Fact]
    public void TryPass_WithoutRoomOrBehindOthersOrAfterClosing_LeavesItToEntering()
    {
        using var world = new CorePool();
        var running = world.Enter(CorePool.Request());
        var withoutRoom = Pass(world);
        var waiting = world.Enter(CorePool.Request());
        var behindOthers = Pass(world);
        running.Done();
        waiting.Done();
        world.Dispatcher.Close();

        Assert.Null(withoutRoom);
        Assert.Null(behindOthers);
        Assert.Null(Pass(world));
    }

    [Fact]
    public void TryPass_OfWhatTakesNoRoom_WaitsForNobody()
    {
        using var world = new CorePool(queue: new QueueOptions { MaxWaiting = 1 });
        var running = world.Enter(CorePool.Request());
        var waiting = world.Enter(CorePool.Request());
        var count = CorePool.Request() with { Route = ApiRoute.CountTokens };

        var explained = world.Dispatcher.Explain(count, CorePool.Cost());
        var passed = world.Dispatcher.TryPass(count, CorePool.Cost(), Constraints.None);
        passed?.Reservation!.Dispose();

        Assert.Equal((null, HoldReason.None), (explained.Refusal, explained.Hold));
        Assert.Equal(AdmissionOutcome.Admitted, passed?.Outcome);
        Assert.Null(waiting.Outcome);
        running.Done();
        Assert.Equal(AdmissionOutcome.Admitted, waiting.Outcome);
    }

    [Fact]
    public void TryPass_OfWhatTakesNoRoom_CountsForNothingAtItsReplica()
    {
        using var world = new CorePool();
        var count = CorePool.Request() with { Route = ApiRoute.CountTokens, Prefix = new PrefixFingerprint([1, 2], 256) };

        using var reservation = world.Dispatcher.TryPass(count, CorePool.Cost(), Constraints.None)!.Value.Reservation!;

        var now = world.Pool.Replicas[0].Snapshot();
        Assert.Equal((0, 0), (now.ReservedTokens, now.QueuedPrefillTokens));
        Assert.Equal(0, world.Prefixes.Blocks);
    }

    [Fact]
    public void TryPass_AfterTheDeadline_LeavesItToEntering()
    {
        using var world = new CorePool();
        var request = CorePool.Request(deadline: TimeSpan.FromSeconds(1)) with { ArrivedAt = world.Time.GetTimestamp() };
        world.Time.Advance(TimeSpan.FromSeconds(2));

        Assert.Null(world.Dispatcher.TryPass(request, CorePool.Cost(), Constraints.None));
        Assert.Equal(AdmissionOutcome.DeadlineExceeded, world.Enter(request).Outcome);
    }

    private static AdmissionResult? Pass(CorePool world) => world.Dispatcher.TryPass(CorePool.Request(), CorePool.Cost(), Constraints.None);

    private static void PassThrough(Dispatcher dispatcher, InferenceRequest request, in RequestEstimate estimate)
    {
        var turn = dispatcher.EnterAsync(request, estimate, Constraints.None, CancellationToken.None);
        var reservation = turn.IsCompletedSuccessfully ? turn.Result.Reservation : null;
        Assert.NotNull(reservation);
        reservation.Dispose();
    }

    private static long Allocated(Action action) => Allocations.Least(() =>
    {
        for (var i = 0; i < Rounds; i++)
        {
            action();
        }
    });
}
