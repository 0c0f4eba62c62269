using Gateway.Configuration;
using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Queueing.Shadows;
using Gateway.Replicas;
using Gateway.Routing;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing.Shadows;

public sealed class ShadowTests : IDisposable
{
    private readonly ManualTime _time = new();
    private GatewayCore? _core;

    [Fact]
    public void OnArrived_OfManyRequests_ReservesNothingOfTheRealFleet()
    {
        var model = Model(replicas: 3);

        for (var i = 0; i < 50; i++)
        {
            Serve(model, tokens: 20 + i);
        }

        Assert.All(model.Pool.ReplicaList, replica => Assert.Equal((0, 0L), (replica.Snapshot().RunningRequests, replica.Snapshot().ReservedTokens)));
        Assert.InRange(model.Shadow!.Read().Answers, 40, 50);
        Assert.Equal("round_robin/fcfs/none", model.Shadow.Policy);
    }

    [Fact]
    public void Read_WhileTheFirstAnswerRuns_WaitsForItsLength()
    {
        var model = Model(replicas: 2);
        var first = model.OnArrived(CorePool.Request(), CorePool.Cost())!;
        for (var i = 0; i < 20; i++)
        {
            Serve(model, tokens: 10);
        }
        Assert.Equal(0, model.Shadow!.Read().Answers);

        first.OutputTokens = 10;
        first.Dispose();
        Serve(model, tokens: 10);

        Assert.InRange(model.Shadow.Read().Answers, 10, 22);
    }

    [Fact]
    public void OnEnded_OfTheAnswerThatAllOthersWaitedFor_ForecastsAFewAndTheRestApart()
    {
        var model = Model(replicas: 2);
        var first = model.OnArrived(CorePool.Request(), CorePool.Cost())!;
        for (var i = 0; i < 100; i++)
        {
            Serve(model, tokens: 10);
        }
        var before = model.Shadow!.Pending;

        first.OutputTokens = 10;
        first.Dispose();
        var atOnce = before - model.Shadow.Pending;
        _time.Advance(TimeSpan.Zero);

        Assert.Equal((101, Shadow.MostAtOnce, 0), (before, atOnce, model.Shadow.Pending));
        Assert.InRange(model.Shadow.Read().Answers, 90, 101);
    }

    [Fact]
    public void OnEnded_AfterItWasDisposed_ForecastsNothing()
    {
        var model = Model(replicas: 2);
        Serve(model, tokens: 10);
        var shadow = model.Shadow!;
        var underWay = shadow.OnArrived(CorePool.Request(), CorePool.Cost());
        var before = shadow.Read().Answers;

        shadow.Dispose();
        underWay.Dispose();
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(before, shadow.Read().Answers);
    }

    [Fact]
    public void Read_AfterAnAnswerThatNeverEnds_DrawsItsLengthAtLast()
    {
        var model = Model(replicas: 2);
        model.OnArrived(CorePool.Request(), CorePool.Cost());
        _time.Advance(TimeSpan.FromMinutes(3));

        for (var i = 0; i < 10; i++)
        {
            Serve(model, tokens: 10);
        }

        Assert.InRange(model.Shadow!.Read().Answers, 5, 11);
    }

    [Fact]
    public void Read_AfterALongAnswerThatNeverEnds_DrawsWhatIsStillPossible()
    {
        var model = Model(replicas: 1);
        var weights = new double[LengthHistogram.Bins];
        (weights[LengthHistogram.BinOf(10)], weights[LengthHistogram.BinOf(400)]) = (99, 1);
        var estimate = CorePool.Cost() with { Output = new OutputLengthEstimate(new LengthDistribution(new LengthHistogram(weights), 1), 0, 4_096) };
        var placed = Placed(model, CorePool.Request()).Reservation!;
        model.OnArrived(CorePool.Request(), estimate)!.Reservation = placed;
        placed.OnProgress(100, 300);
        _time.Advance(TimeSpan.FromMinutes(3));

        Serve(model, tokens: 1);

        // One of a hundred is as long as that, and it is one of those. The mean is that of two, the other of one token.
        var read = model.Shadow!.Read();
        Assert.Equal(2, read.Answers);
        Assert.InRange(2 * read.ActingSeconds, 300 * 0.016, 500 * 0.018);
        placed.Dispose();
    }

    [Fact]
    public void OnDecided_WhereTheOtherPolicyWouldGoElsewhere_CountsIt()
    {
        var model = Model(replicas: 2);
        var holder = Placed(model, CorePool.Request(blocks: [1, 2, 3]));
        holder.Reservation!.Dispose();

        // The prompt's beginning is where the first one went; in turn it would be the other's.
        var again = Placed(model, CorePool.Request(blocks: [1, 2, 3]));

        Assert.Equal(holder.Reservation.Replica, again.Reservation!.Replica);
        Assert.NotEqual(holder.Reservation.Replica, again.Shadow!.Value.Replica);
        Assert.Equal((2L, 0.5), (model.Shadow!.Read().Decisions, model.Shadow.Read().DifferingShare));
        again.Reservation.Dispose();
    }

    [Fact]
    public void OnArrived_WhenAReplicaLeaves_BeginsAnewAndGoesOn()
    {
        var model = Model(replicas: 3);
        for (var i = 0; i < 10; i++)
        {
            Serve(model, tokens: 10);
        }
        model.Pool.SetReplicas([CorePool.Place(0), CorePool.Place(1)]);
        var before = model.Shadow!.Read().Answers;

        for (var i = 0; i < 10; i++)
        {
            Serve(model, tokens: 10);
        }

        Assert.InRange(model.Shadow.Read().Answers, before + 5, before + 11);
    }

    [Fact]
    public void OnArrived_OfAFleetBeyondTheLimit_ForecastsNothing()
    {
        var model = Model(replicas: Shadow.MostReplicas + 1);

        Serve(model, tokens: 10);
        Serve(model, tokens: 10);

        Assert.Equal(0, model.Shadow!.Read().Answers);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("random", true)]
    public void Shadow_OfAModel_IsThereWhereOneIsNamed(string? policy, bool expected)
    {
        var model = Model(1, new ShadowOptions { Policy = policy });

        Assert.Equal(expected, model.Shadow is not null);
    }

    [Fact]
    public void AheadByShadow_WithAnotherOrder_CountsByThatOrder()
    {
        var model = Model(1, new ShadowOptions { Order = "sjf" }, slots: 1);
        Assert.Equal(0, model.Dispatcher.AheadByShadow(CorePool.Request(), CorePool.Cost()));
        var running = Placed(model, CorePool.Request());
        model.Dispatcher.Enter(CorePool.Request(), CorePool.Cost(outputTokens: 500), Constraints.None, static _ => { });
        model.Dispatcher.Enter(CorePool.Request(), CorePool.Cost(outputTokens: 20), Constraints.None, static _ => { });

        Assert.Equal(1, model.Dispatcher.AheadByShadow(CorePool.Request(), CorePool.Cost(outputTokens: 100)));
        running.Reservation!.Dispose();
    }

    public void Dispose() => _core?.Dispose();

    private ModelPool Model(int replicas, ShadowOptions? shadow = null, int slots = 8)
    {
        var options = new GatewayOptions
        {
            Models = [new() { Name = "m" }],
            Routing = new RoutingOptions { Shadow = shadow ?? new ShadowOptions { Policy = "round_robin", Order = "fcfs", Admission = "none" } },
        };
        _core = GatewayCore.Create(options, _time, new Random(1), hashKey: 1);
        var model = _core.Find("m")!;
        model.Pool.SetReplicas([.. Enumerable.Range(0, replicas).Select(i => CorePool.Place(i, slots, kvTokens: 20_000))]);
        foreach (var replica in model.Pool.Replicas)
        {
            replica.OnProbed(ReplicaHealth.Up);
        }
        return model;
    }

    private void Serve(ModelPool model, int tokens)
    {
        using (var shadowed = model.OnArrived(CorePool.Request(), CorePool.Cost(outputTokens: tokens)))
        {
            shadowed!.OutputTokens = tokens;
        }
        _time.Advance(TimeSpan.FromSeconds(1));
    }

    private static AdmissionResult Placed(ModelPool model, Gateway.Requests.InferenceRequest request)
    {
        AdmissionResult? told = null;
        model.Dispatcher.Enter(request, CorePool.Cost(), Constraints.None, result => told = result);
        model.OnDecided(CorePool.Cost(), told!.Value);
        return told.Value;
    }
}
