using Gateway.Queueing;
using Gateway.Routing;
using Gateway.Telemetry;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Telemetry;

public sealed class DecisionLogTests
{
    [Fact]
    public void Write_OfADecision_NamesEveryCandidateWithItsScores()
    {
        using var logs = new CapturedLogs();
        using var factory = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Debug).AddProvider(logs));
        using var world = new CorePool(replicas: 2, slots: 1);
        world.Enter(CorePool.Request());
        var before = world.Dispatcher.Explain(CorePool.Request(), CorePool.Cost());
        var decided = world.Enter(CorePool.Request()).Result!.Value;

        new DecisionLog(factory.CreateLogger<DecisionLog>()).Write("q-7", "m", decided, before);

        var line = Assert.Single(logs.Lines);
        Assert.Equal(LogLevel.Debug, line.Level);
        Assert.StartsWith($"decision q-7 m: Admitted, replica {decided.Reservation!.Replica.Id} for only_choice, held for none, 0 ms; when it came: 0 ahead, rank 0, candidates: r0", line.Text, StringComparison.Ordinal);
        Assert.Single(before.Candidates, candidate => line.Text.Contains($"{candidate.Candidate.Replica.Id} (full) ", StringComparison.Ordinal));
        Assert.Contains("s added_delay ", line.Text, StringComparison.Ordinal);
        Assert.All(before.Candidates[0].Parts, part => Assert.Contains(part.Scorer, line.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void Write_OfCostsThatAreNoTimes_SaysNoUnitAndNoLongRowOfDigits()
    {
        using var logs = new CapturedLogs();
        using var factory = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Debug).AddProvider(logs));
        using var world = new CorePool(replicas: 3, slots: 4, routing: new RoutingOptions { Policy = "power_of_two" });
        var before = world.Dispatcher.Explain(CorePool.Request(), CorePool.Cost());

        new DecisionLog(factory.CreateLogger<DecisionLog>()).Write("q-7", "m", world.Enter(CorePool.Request()).Result!.Value, before);

        var line = Assert.Single(logs.Lines).Text;
        Assert.Contains(" 0 power_of_two 0", line, StringComparison.Ordinal);
        Assert.Contains(" 4.5e307 power_of_two 4.5e307", line, StringComparison.Ordinal);
        Assert.DoesNotContain("0s", line, StringComparison.Ordinal);
    }

    [Fact]
    public void WriteShadow_OfASecondPolicy_SaysWhereAndBehindHowMany()
    {
        using var logs = new CapturedLogs();
        using var factory = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Debug).AddProvider(logs));
        using var world = new CorePool(replicas: 2);
        var log = new DecisionLog(factory.CreateLogger<DecisionLog>());

        log.WriteShadow("q-7", "m", "random/fcfs/none", new Deviation(world.Pool.ReplicaList[1], -0.25), ahead: 3);
        log.WriteShadow("q-8", "m", policy: null, new Deviation(world.Pool.ReplicaList[1], 1), ahead: null);

        var line = Assert.Single(logs.Lines);
        Assert.Equal("shadow q-7 m: random/fcfs/none would have chosen r1, 3 ahead; regret of this answer -0.25 s", line.Text);
    }

    [Theory]
    [InlineData(LogLevel.Information, false)]
    [InlineData(LogLevel.Debug, true)]
    public void IsOn_ByTheLogsLevel_SaysWhetherAnybodyReads(LogLevel level, bool expected)
    {
        using var logs = new CapturedLogs();
        using var factory = LoggerFactory.Create(builder => builder.SetMinimumLevel(level).AddProvider(logs));

        Assert.Equal(expected, new DecisionLog(factory.CreateLogger<DecisionLog>()).IsOn);
    }
}
