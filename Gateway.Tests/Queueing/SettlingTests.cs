using Gateway.Queueing;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Queueing;

/// <summary>What clients are charged, through waits, departures, attempts in vain and answers of other lengths than expected.</summary>
public sealed class SettlingTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(31)]
    [InlineData(32)]
    public void Settle_OfAnyEndings_LeavesEachClientChargedForWhatItWasServed(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        using var world = new CorePool(2, slots: 3, queue: new QueueOptions { MaxWait = TimeSpan.FromSeconds(5), MaxWaiting = 20 });
        var charges = new RecordedCharges();
        world.Plan = world.Plan with { Order = charges };
        var served = new Dictionary<ulong, ServedTokens>();
        var open = new List<(CorePool.Entry Entry, InferenceRequest Request)>();
        var ended = 0;
        for (var i = 0; i < 6_000; i++)
        {
            switch (chance.Next(6))
            {
                case < 3:
                    Enter(CorePool.Request() with { TenantKey = (ulong)chance.Next(1, 6), TenantWeight = chance.Next(1, 4) }, Constraints.None);
                    break;
                case 3 when open.Count > 0:
                    open[chance.Next(open.Count)].Entry.Waiter!.Cancel();
                    break;
                case 4:
                    world.Time.Advance(TimeSpan.FromMilliseconds(chance.Next(500)));
                    break;
                case 5 when open.FindIndex(line => line.Entry.Outcome == AdmissionOutcome.Admitted) is >= 0 and var at:
                    End(open[at].Entry, open[at].Request, isVain: chance.Next(4) == 0);
                    break;
            }
            open.RemoveAll(line => line.Entry.Outcome is { } outcome && outcome != AdmissionOutcome.Admitted);
        }
        while (open.FindIndex(line => line.Entry.Outcome == AdmissionOutcome.Admitted) is >= 0 and var at)
        {
            End(open[at].Entry, open[at].Request, isVain: false);
        }

        Assert.InRange(ended, 500, 6_000);
        Assert.Equal(served.OrderBy(pair => pair.Key), charges.Of.Where(pair => pair.Value != default).OrderBy(pair => pair.Key));

        void Enter(InferenceRequest request, Constraints constraints) =>
            open.Add((world.Enter(request, CorePool.Cost(chance.Next(1, 900), chance.Next(1, 300)), constraints), request));

        void End(CorePool.Entry entry, InferenceRequest request, bool isVain)
        {
            var result = entry.Result!.Value;
            var tokens = isVain ? default : new ServedTokens(chance.Next(0, 900), chance.Next(0, 900));
            world.Dispatcher.Settle(request, result.Charged, tokens);
            open.RemoveAll(line => line.Entry == entry);
            entry.Done();
            if (isVain)
            {
                Enter(request, new Constraints([result.Reservation!.Replica]));
                return;
            }
            ended++;
            var before = served.GetValueOrDefault(request.TenantKey);
            served[request.TenantKey] = new ServedTokens(before.UncachedPromptTokens + tokens.UncachedPromptTokens, before.OutputTokens + tokens.OutputTokens);
        }
    }

    [Theory]
    [InlineData("/v1/responses/{id}")]
    [InlineData("/tokenize")]
    public void Settle_OfOneThatTakesNoRoom_ChargesNobody(string path)
    {
        using var world = new CorePool();
        var charges = new RecordedCharges();
        world.Plan = world.Plan with { Order = charges };
        var request = CorePool.Request() with { Route = ApiRoute.All.Append(ApiRoute.StoredResponse).First(route => route.Path == path) };

        var charged = world.Enter(request).Result!.Value.Charged;
        world.Dispatcher.Settle(request, charged, new ServedTokens(900, 400));

        Assert.Equal(default, charged);
        Assert.Empty(charges.Of);
    }
}
