using Gateway.Replicas;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas;

public sealed class FaultGateTests
{
    private static readonly TimeSpan Open = TimeSpan.FromSeconds(10);

    private readonly ManualTime _time = new();
    private readonly FaultGate _gate;

    public FaultGateTests()
    {
        _gate = new FaultGate(new FaultLimits(3, Open), _time);
    }

    [Fact]
    public void OnFault_AtTheLimitInARow_Suspends()
    {
        var seen = new List<ReplicaHealth>();
        for (var i = 0; i < 3; i++)
        {
            _gate.OnFault(isLast: false);
            seen.Add(_gate.Verdict(1));
        }

        Assert.Equal([ReplicaHealth.Up, ReplicaHealth.Up, ReplicaHealth.Suspended], seen);
        Assert.Equal(Open, _gate.TimeUntilRetry());
    }

    [Fact]
    public void OnFault_OfTheLastReplica_CountsAndSuspendsOnceThereIsAnother()
    {
        for (var i = 0; i < 10; i++)
        {
            _gate.OnFault(isLast: true);
        }
        var alone = _gate.Verdict(0);

        _gate.OnFault(isLast: false);

        Assert.Equal((ReplicaHealth.Up, ReplicaHealth.Suspended), (alone, _gate.Verdict(0)));
        Assert.Equal("11 faults in a row", _gate.Why);
    }

    [Fact]
    public void OnFault_OfTheLastReplicaWhileItIsSuspended_DoesNotEndThePause()
    {
        _gate.Open("hung");

        _gate.OnFault(isLast: true);

        Assert.Equal((ReplicaHealth.Suspended, "hung"), (_gate.Verdict(0), _gate.Why));
    }

    [Fact]
    public void OnSuccess_BetweenFaults_StartsTheCountAnew()
    {
        for (var i = 0; i < 10; i++)
        {
            _gate.OnFault(isLast: false);
            _gate.OnFault(isLast: false);
            _gate.OnSuccess();
        }

        Assert.Equal(ReplicaHealth.Up, _gate.Verdict(0));
    }

    [Fact]
    public void Verdict_AfterThePause_LetsOneRequestTryAndNoSecond()
    {
        Suspend();
        _time.Advance(Open - TimeSpan.FromTicks(1));
        var early = _gate.Verdict(0);
        _time.Advance(TimeSpan.FromTicks(1));

        var first = _gate.Verdict(0);
        _gate.OnSent();
        var second = _gate.Verdict(1);

        Assert.Equal((ReplicaHealth.Suspended, ReplicaHealth.Up, ReplicaHealth.Suspended), (early, first, second));
    }

    [Fact]
    public void Verdict_AfterThePauseWithOldRequestsRunning_StillLetsOneTry()
    {
        Suspend();
        _time.Advance(Open);

        Assert.Equal(ReplicaHealth.Up, _gate.Verdict(7));
    }

    [Fact]
    public void OnSuccess_OfTheTrial_Closes()
    {
        SuspendAndTry();

        _gate.OnSuccess();

        Assert.Equal(ReplicaHealth.Up, _gate.Verdict(5));
        Assert.Null(_gate.TimeUntilRetry());
    }

    [Fact]
    public void OnFault_OfTheTrial_SuspendsForAWholePause()
    {
        SuspendAndTry();

        _gate.OnFault(isLast: false);

        Assert.Equal(ReplicaHealth.Suspended, _gate.Verdict(0));
        Assert.Equal(Open, _gate.TimeUntilRetry());
    }

    [Fact]
    public void OnAbandoned_OfTheTrial_LetsTheNextOneTry()
    {
        SuspendAndTry();

        _gate.OnAbandoned();

        Assert.Equal(ReplicaHealth.Up, _gate.Verdict(1));
    }

    [Fact]
    public void BackOff_UntilItIsOver_GivesNoWorkAndCountsNoFault()
    {
        _gate.BackOff(TimeSpan.FromSeconds(2));
        var during = _gate.Verdict(0);
        var left = _gate.TimeUntilRetry();
        _time.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal((ReplicaHealth.BackingOff, ReplicaHealth.Up), (during, _gate.Verdict(0)));
        Assert.Equal(TimeSpan.FromSeconds(2), left);
        Assert.Null(_gate.TimeUntilRetry());
    }

    [Fact]
    public void BackOff_ShorterThanTheOneRunning_DoesNotShortenIt()
    {
        _gate.BackOff(TimeSpan.FromSeconds(60));
        _time.Advance(TimeSpan.FromSeconds(1));
        _gate.BackOff(TimeSpan.FromSeconds(2));
        _time.Advance(TimeSpan.FromSeconds(3));

        Assert.Equal(ReplicaHealth.BackingOff, _gate.Verdict(0));
        Assert.Equal(TimeSpan.FromSeconds(56), _gate.TimeUntilRetry());
    }

    private void Suspend()
    {
        for (var i = 0; i < 3; i++)
        {
            _gate.OnFault(isLast: false);
        }
    }

    private void SuspendAndTry()
    {
        Suspend();
        _time.Advance(Open);
        _gate.OnSent();
    }
}
