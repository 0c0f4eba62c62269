using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Requests;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Queueing;

/// <summary>The prompts of a client that floods: one after the other at each replica, while others are there.</summary>
public sealed class FloodedPromptsTests(ITestOutputHelper output)
{
    private const ulong Flooder = 1;
    private const ulong Light = 2;

    [Fact]
    public void Enter_OfAClientThatFloods_WaitsForTheFirstTokenOfItsPromptBefore()
    {
        using var world = AfterBoth();
        var first = Enter(world, Flooder);

        var next = Enter(world, Flooder);
        var before = next.Outcome;
        first.Result!.Value.Reservation!.OnFirstToken();

        Assert.Equal((AdmissionOutcome.Admitted, null), (first.Outcome, before));
        Assert.Equal((AdmissionOutcome.Admitted, HoldReason.Headroom), (next.Outcome, next.Result!.Value.HeldFor));
    }

    [Fact]
    public void Enter_BehindAFloodedPrompt_LetsTheOthersPass()
    {
        using var world = AfterBoth();
        var flood = Enumerable.Range(0, 3).Select(_ => Enter(world, Flooder)).ToList();

        var others = Enumerable.Range(0, 3).Select(_ => Enter(world, Light)).ToList();

        Assert.Equal(1, flood.Count(IsIn));
        Assert.All(others, entry => Assert.True(IsIn(entry)));
    }

    [Fact]
    public void Enter_OfAClientThatFloods_GoesWhereNoneOfItsPromptsIsComputed()
    {
        using var world = AfterBoth(replicas: 3);
        Enter(world, Light);

        var flood = Enumerable.Range(0, 5).Select(_ => Enter(world, Flooder)).ToList();

        Assert.Equal(["r0", "r1", "r2"], flood.Where(IsIn).Select(entry => entry.Replica).Order());
    }

    [Fact]
    public void Enter_BehindAPromptThatEndedWithoutAToken_HasItsTurn()
    {
        using var world = AfterBoth();
        var first = Enter(world, Flooder);
        Enter(world, Light);
        var next = Enter(world, Flooder);
        var before = next.Outcome;

        first.Done();

        Assert.Equal((null, AdmissionOutcome.Admitted), (before, next.Outcome));
    }

    [Theory]
    [InlineData(false, 0.5)]
    [InlineData(true, 0.0)]
    public void Enter_OfAFloodThatTellsNoFirstTokenOrWithoutHeadroom_IsNotHeld(bool isStreaming, double headroom)
    {
        using var world = AfterBoth(headroom: headroom);

        var flood = Enumerable.Range(0, 4).Select(_ => Enter(world, Flooder, isStreaming)).ToList();

        Assert.All(flood, entry => Assert.True(IsIn(entry)));
    }

    [Fact]
    public void Enter_OfAFloodAfterTheOthersWereIdleForAMinute_IsNotHeld()
    {
        using var world = AfterBoth(othersStay: false);
        world.Time.Advance(TimeSpan.FromSeconds(66));

        var flood = Enumerable.Range(0, 4).Select(_ => Enter(world, Flooder)).ToList();

        Assert.All(flood, entry => Assert.True(IsIn(entry)));
    }

    [Fact]
    public void Enter_OfAClientThatDoesNotFlood_IsNotHeld()
    {
        using var world = AfterBoth();
        Enter(world, Flooder);

        var light = Enumerable.Range(0, 4).Select(_ => Enter(world, Light)).ToList();

        Assert.All(light, entry => Assert.True(IsIn(entry)));
    }

    [Fact]
    public void Explain_BehindAFloodedPrompt_NamesTheHeadroom()
    {
        using var world = AfterBoth();
        Enter(world, Flooder);

        Assert.Equal((HoldReason.Headroom, HoldReason.None), (HoldOf(Flooder), HoldOf(Light)));

        HoldReason HoldOf(ulong tenant) => world.Dispatcher.Explain(Request(tenant), CorePool.Cost()).Hold;
    }

    [Theory]
    [InlineData(21)]
    [InlineData(22)]
    [InlineData(23)]
    public void Enter_UnderARandomFlood_SendsOnePromptOfItAtATimeAndNobodyIsLost(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        using var world = AfterBoth(replicas: 2);
        var (all, heldAtAll) = (new List<(CorePool.Entry Entry, ulong Tenant)>(), 0);
        var computing = new List<(CorePool.Entry Entry, ulong Tenant)>();
        for (var i = 0; i < 3_000; i++)
        {
            world.Time.Advance(TimeSpan.FromMilliseconds(chance.Next(20)));
            var open = all.Where(one => IsIn(one.Entry) && !one.Entry.Result!.Value.Reservation!.IsReturned).ToList();
            switch (chance.Next(3))
            {
                case 0 when open.Count < 100:
                    var tenant = chance.Next(5) > 0 ? Flooder : Light;
                    all.Add((Enter(world, tenant), tenant));
                    break;
                case 1 when open.Find(one => !one.Entry.Result!.Value.Reservation!.IsPromptComputed).Entry is { } begins:
                    begins.Result!.Value.Reservation!.OnFirstToken();
                    break;
                case 2 when open.Count > 0:
                    open[chance.Next(open.Count)].Entry.Done();
                    break;
                default:
                    break;
            }
            computing = all.FindAll(one => IsIn(one.Entry) && one.Entry.Result!.Value.Reservation is { IsReturned: false, IsPromptComputed: false });
            // Others are there all along: no replica has two of the flood's prompts to compute, and none of theirs ever waits.
            Assert.All(computing.Where(one => one.Tenant == Flooder).CountBy(one => one.Entry.Replica!), at => Assert.True(at.Value <= 1, $"round {i}: {at.Value} at {at.Key}"));
            Assert.True(all.TrueForAll(one => one.Tenant == Flooder || IsIn(one.Entry)), $"round {i}: another waits");
            heldAtAll += all.Exists(one => !IsIn(one.Entry)) ? 1 : 0;
        }
        Assert.True(heldAtAll > 0, "nobody was ever held");
        while (all.Find(one => IsIn(one.Entry) && !one.Entry.Result!.Value.Reservation!.IsReturned).Entry is { } next)
        {
            next.Done();
        }
        Assert.All(all, one => Assert.Equal((AdmissionOutcome.Admitted, 1), (one.Entry.Outcome, one.Entry.TimesTold)));
    }

    // One sent ten times as many requests as the other, which held three places at once a moment ago. Nothing is scarce.
    private static CorePool AfterBoth(int replicas = 1, double headroom = 0.5, bool othersStay = true)
    {
        var world = new CorePool(replicas, slots: 10_000, queue: new QueueOptions { FairnessHeadroom = headroom, MaxWait = TimeSpan.FromHours(12) });
        world.Plan = world.Plan with { Order = new TokenCounterOrder(new FcfsOrder(), burstTokens: 1_600) };
        for (var i = 0; i < 300; i++)
        {
            Enter(world, Flooder).Done();
        }
        Enumerable.Range(0, 3).Select(_ => Enter(world, Light)).ToList().ForEach(entry => entry.Done());
        // An empty replica takes anyone.
        for (var i = 0; othersStay && i < replicas; i++)
        {
            Enter(world, 3).Result!.Value.Reservation!.OnFirstToken();
        }
        return world;
    }

    private static bool IsIn(CorePool.Entry entry) => entry.Outcome == AdmissionOutcome.Admitted;

    private static InferenceRequest Request(ulong tenant, bool isStreaming = true) =>
        CorePool.Request() with { TenantKey = tenant, Body = new BodyFacts { BodyBytes = 400, PromptBytes = 400, IsStreaming = isStreaming } };

    private static CorePool.Entry Enter(CorePool world, ulong tenant, bool isStreaming = true) => world.Enter(Request(tenant, isStreaming), CorePool.Cost());
}
