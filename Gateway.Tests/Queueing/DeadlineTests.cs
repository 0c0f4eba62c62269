using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>Requests that must come too late are told at once; others never on a guess.</summary>
public sealed class DeadlineTests : IDisposable
{
    // Learned below: 1 s to a first token, then 0.1 s per token.
    private static readonly RequestEstimate HundredTokens = CorePool.Cost(promptTokens: 100, outputTokens: 101);

    private readonly CorePool _world = new(slots: 1);

    [Fact]
    public void Enter_WithADeadlineThatNoAnswerCanMeet_IsRefusedAtOnce()
    {
        Learn();

        var hopeless = _world.Enter(Wants(2), HundredTokens);
        var tight = _world.Enter(Wants(13), HundredTokens);

        Assert.Equal((AdmissionOutcome.DeadlineExceeded, TimeSpan.Zero), (hopeless.Outcome, hopeless.Result!.Value.Waited));
        Assert.Null(hopeless.Result!.Value.RetryAfter);
        Assert.Equal(AdmissionOutcome.Admitted, tight.Outcome);
    }

    [Fact]
    public void Enter_BeforeAnythingIsLearned_IsNotRefused() =>
        Assert.Equal(AdmissionOutcome.Admitted, _world.Enter(Wants(0.001), HundredTokens).Outcome);

    [Fact]
    public void Enter_WhereOneReplicaIsNotKnownYet_IsNotRefused()
    {
        Learn();
        _world.SetReplicas([CorePool.Place(0), CorePool.Place(1)]);

        Assert.Equal(AdmissionOutcome.Admitted, _world.Enter(Wants(2), HundredTokens).Outcome);
    }

    [Fact]
    public void Enter_WhereRefusingIsSwitchedOff_IsNotRefused()
    {
        Learn();
        _world.Plan = _world.Plan with { Queue = new QueueOptions { RefuseLate = false } };

        Assert.Equal(AdmissionOutcome.Admitted, _world.Enter(Wants(2), HundredTokens).Outcome);
    }

    [Theory]
    [InlineData(true, AdmissionOutcome.DeadlineExceeded)]
    [InlineData(false, AdmissionOutcome.Admitted)]
    public void Enter_WithAFirstTokenWantedTooSoon_IsRefusedOnlyWhereThatBinds(bool isHard, AdmissionOutcome expected)
    {
        Learn();
        _world.Plan = _world.Plan with { Queue = new QueueOptions { HardTtftSlo = isHard } };

        var entry = _world.Enter(CorePool.Request() with { TimeToFirstTokenSlo = TimeSpan.FromSeconds(0.1) }, HundredTokens);

        Assert.Equal(expected, entry.Outcome);
    }

    [Fact]
    public void Waiting_UntilTheAnswerWouldComeTooLate_EndsThenAndNotAtTheDeadline()
    {
        Learn();
        var running = _world.Enter(CorePool.Request());
        var waiting = _world.Enter(Wants(20), HundredTokens);

        _world.Time.Advance(TimeSpan.FromSeconds(17));

        Assert.Equal(AdmissionOutcome.Admitted, running.Outcome);
        Assert.Equal(AdmissionOutcome.DeadlineExceeded, waiting.Outcome);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Enter_BehindAQueueThatMovesTooSlowly_IsRefusedAtOnceUnlessItsClassGoesFirst(bool othersHaveDeadlines)
    {
        _world.Plan = _world.Plan with { Queue = new QueueOptions { MaxWait = TimeSpan.FromHours(1) } };
        var running = new Queue<CorePool.Entry>(Enumerable.Range(0, 10).Select(_ => _world.Enter(Other())));
        for (var i = 0; i < 60; i++)
        {
            _world.Time.Advance(TimeSpan.FromSeconds(10));
            running.Dequeue().Done();
            running.Enqueue(_world.Enter(Other()));
        }

        // Nine wait, ten seconds each.
        var hopeless = _world.Enter(Wants(30));
        var urgent = _world.Enter(Wants(30) with { Priority = PriorityClass.Interactive });
        var patient = _world.Enter(Wants(60));

        Assert.Equal(AdmissionOutcome.DeadlineExceeded, hopeless.Outcome);
        Assert.Null(urgent.Outcome);
        Assert.Null(patient.Outcome);

        InferenceRequest Other() => othersHaveDeadlines ? Wants(3_600) : CorePool.Request();
    }

    [Fact]
    public void RetryAfter_UnderSteadyLoad_IsTheTimeThatTheNextOneReallyWaits()
    {
        _world.Plan = _world.Plan with { Queue = new QueueOptions { MaxWaiting = 10, MaxWait = TimeSpan.FromHours(1) } };
        var chance = new Random(5);
        var running = new Queue<CorePool.Entry>(Enumerable.Range(0, 11).Select(i => _world.Enter(CorePool.Request($"{i}"))));
        var ratios = new List<double>();
        for (var i = 0; i < 300; i++)
        {
            var refused = _world.Enter(CorePool.Request());
            var told = refused.Result!.Value.RetryAfter!.Value.TotalSeconds;
            _world.Time.Advance(TimeSpan.FromSeconds(1 + (8 * chance.NextDouble())));
            running.Dequeue().Done();
            running.Enqueue(_world.Enter(CorePool.Request($"next {i}")));
            if (i > 30)
            {
                ratios.Add(told / (11 * 5.0));
            }
        }

        Assert.InRange(ratios.Average(), 0.9, 1.1);
        Assert.All(ratios, ratio => Assert.InRange(ratio, 0.5, 1.6));
    }

    public void Dispose() => _world.Dispose();

    private static InferenceRequest Wants(double seconds) => CorePool.Request(deadline: TimeSpan.FromSeconds(seconds));

    private void Learn()
    {
        var replica = _world.Pool.Replicas[0];
        for (var i = 0; i < 300; i++)
        {
            using var reservation = replica.TryReserve(new LoadProfile(100, 100, 101, 1), 1)!;
            _world.Time.Advance(TimeSpan.FromSeconds(1));
            reservation.OnFirstToken();
            _world.Time.Advance(TimeSpan.FromSeconds(10));
            reservation.OnAnswered(new ServedAnswer(101, 100, 0, _world.Time.GetTimestamp()));
        }
    }
}
