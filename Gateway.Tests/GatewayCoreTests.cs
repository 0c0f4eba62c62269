using Gateway.Configuration;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests;

public sealed class GatewayCoreTests : IDisposable
{
    private static readonly GatewayOptions Options = new() { Models = [Model("a"), Model("b")] };

    private readonly ManualTime _time = new();
    private readonly GatewayCore _core;

    public GatewayCoreTests()
    {
        _core = GatewayCore.Create(Options, _time, new Random(1), hashKey: 42);
        Serve(_core.Find("a")!.Pool);
    }

    public void Dispose() => _core.Dispose();

    [Fact]
    public void Find_ByNameAliasAndNeither_IsThePoolOrNothing()
    {
        Assert.Same(_core.Find("a"), _core.Find("alias-a"));
        Assert.Same(_core.Find("b")!.Pool, _core.Fleet.Find("alias-b"));
        Assert.Null(_core.Find("c"));
    }

    [Fact]
    public void Apply_WithThePoolStaying_KeepsItsLoadItsQueueAndWhatWasLearned()
    {
        var before = _core.Find("a")!;
        var running = Enter(before);
        var waiting = Enter(before);
        _core.Ratio.Learn(new() { PromptBytes = 100_000 }, "a", 4, 50_000);
        var learned = _core.Ratio.BytesPerToken("a", 4);

        var leaving = _core.Apply(Options with { Models = [Model("a") with { Aliases = ["other"] }, Model("c")], Queue = new QueueOptions { MaxWaiting = 1 } });

        Assert.Equal(["b"], leaving.Select(model => model.Pool.Name));
        Assert.Same(before, _core.Find("other"));
        Assert.Null(_core.Find("alias-a"));
        Assert.Equal(1, before.Pool.Replicas[0].Snapshot().RunningRequests);
        Assert.Equal(learned, _core.Ratio.BytesPerToken("a", 4));
        Assert.Equal(AdmissionOutcome.RejectedQueueFull, Enter(before).Outcome);
        running.Done();
        Assert.Equal(AdmissionOutcome.Admitted, waiting.Outcome);
    }

    [Fact]
    public void Apply_WithOtherSettingsOfPrefixesAlone_LetsAFairOrderGoByThem()
    {
        var options = Options with { Queue = new QueueOptions { Order = "fcfs", Fairness = FairnessMode.Dlpm } };
        _core.Apply(options);
        var model = _core.Find("a")!;
        var running = Enter(model, [1, 2, 3, 4]);
        var (cold, warm) = (Enter(model), Enter(model, [1, 2, 3, 4]));

        _core.Apply(options with { Routing = new RoutingOptions { Prefix = new() { Enabled = false } } });
        running.Done();

        Assert.Equal((AdmissionOutcome.Admitted, null), (cold.Outcome, warm.Outcome));
    }

    [Fact]
    public void Apply_WithOtherSettingsOfTheSameEstimator_KeepsWhatItLearned()
    {
        var before = _core.Lengths;

        _core.Apply(Options with { Estimation = Options.Estimation with { Window = 64, InitialOutputTokens = 9 } });
        Assert.Same(before, _core.Lengths);

        _core.Apply(Options with { Estimation = Options.Estimation with { Estimator = "running" } });
        Assert.Equal("running", _core.Lengths.Name);
    }

    [Fact]
    public void Apply_InPlainMode_HoldsNothingBackAndReturnsToHoldingAfterwards()
    {
        var model = _core.Find("a")!;
        _core.Apply(Options with { Mode = GatewayMode.Plain, Models = [Model("a") with { EnginePriority = EnginePriority.LowerFirst }, Model("b")] });

        var entries = new[] { Enter(model), Enter(model), Enter(model) };
        _core.Apply(Options);
        var held = Enter(model);

        Assert.All(entries, entry => Assert.Equal((AdmissionOutcome.Admitted, (int?)null), (entry.Outcome, entry.Result!.Value.EnginePriority)));
        Assert.Null(held.Outcome);
    }

    [Fact]
    public void Apply_WithAnotherEstimator_UsesItForTheNextRequest()
    {
        var before = _core.Estimate(CorePool.Request(), _core.Find("a")!.Pool).OutputTokens;

        _core.Apply(Options with { Estimation = new() { Estimator = "constant", InitialOutputTokens = 2_000 } });

        Assert.True(_core.Estimate(CorePool.Request(), _core.Find("a")!.Pool).OutputTokens > 4 * before);
    }

    [Fact]
    public void Apply_OfAnUnrelatedChange_KeepsWhatWasLearned()
    {
        var pool = _core.Find("a")!.Pool;
        var before = _core.Estimate(CorePool.Request(), pool).OutputTokens;
        for (var i = 0; i < 500; i++)
        {
            _core.Learner.OnCompleted(new CompletedRequest
            {
                Request = CorePool.Request(),
                Route = ApiRoute.ChatCompletions,
                RequestId = "q",
                Model = "a",
                Outcome = RequestOutcome.Success,
                StatusCode = 200,
                OutputTokens = 3,
            });
        }
        var learned = _core.Estimate(CorePool.Request(), pool).OutputTokens;

        _core.Apply(Options with { Queue = new() { MaxWaiting = 7 }, Estimation = new(), Routing = new() { Policy = "least_tokens" } });

        Assert.True(learned < before / 2);
        Assert.Equal(learned, _core.Estimate(CorePool.Request(), pool).OutputTokens);
    }

    [Fact]
    public void Dispose_OfAPoolThatLeft_TellsThoseWhoWait()
    {
        var model = _core.Find("a")!;
        Enter(model);
        var waiting = Enter(model);

        foreach (var left in _core.Apply(Options with { Models = [Model("b")] }))
        {
            left.Dispose();
        }

        Assert.Equal(AdmissionOutcome.RejectedShuttingDown, waiting.Outcome);
    }

    private static ModelOptions Model(string name) => new() { Name = name, Aliases = [$"alias-{name}"] };

    private static void Serve(Pool pool)
    {
        pool.SetReplicas([CorePool.Place(0)]);
        pool.Replicas[0].OnProbed(ReplicaHealth.Up);
    }

    private static CorePool.Entry Enter(ModelPool model, ulong[]? blocks = null)
    {
        var request = CorePool.Request(blocks: blocks);
        var entry = new CorePool.Entry(request);
        entry.Waiter = model.Dispatcher.Enter(request, CorePool.Cost(), Constraints.None, entry.Tell);
        return entry;
    }
}
