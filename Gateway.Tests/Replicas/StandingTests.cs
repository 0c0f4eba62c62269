using Gateway.Replicas;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas;

/// <summary>Why a replica gets no work, and since when, in words for people.</summary>
public sealed class StandingTests
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly ManualTime _time = new();
    private readonly DateTimeOffset _start;
    private readonly Replica _replica;

    public StandingTests()
    {
        _start = _time.GetUtcNow();
        _replica = new Replica(new ReplicaOptions(), new Uri("http://a.test/"), "a", 0, new FaultLimits(3, Pause), _time);
        _time.Advance(TimeSpan.FromSeconds(1));
        _replica.OnProbed(ReplicaHealth.Up);
        _time.Advance(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void Standing_Up_HasNoReasonAndDatesFromItsFirstProbe() => Expect(ReplicaHealth.Up, null, 1);

    [Fact]
    public void Standing_Down_TellsTheProbesWordsSinceTheFirstOfThem()
    {
        _replica.OnProbed(ReplicaHealth.Down, "Connection refused");
        _time.Advance(TimeSpan.FromSeconds(5));
        _replica.OnProbed(ReplicaHealth.Down, new string('x', 1_000));

        Expect(ReplicaHealth.Down, new string('x', 200), 2);
    }

    [Fact]
    public void Standing_AfterFaultsInARow_CountsThemSinceTheLimit()
    {
        for (var i = 0; i < 3; i++)
        {
            _replica.OnFault();
        }
        _time.Advance(TimeSpan.FromSeconds(5));
        _replica.OnFault();

        Expect(ReplicaHealth.Suspended, "3 faults in a row", 2);
    }

    [Fact]
    public void Standing_AfterAPause_IsUpSinceThen()
    {
        for (var i = 0; i < 3; i++)
        {
            _replica.OnFault();
        }
        _time.Advance(Pause * 2);
        Expect(ReplicaHealth.Up, null, 12);

        _replica.OnSuccess();

        Expect(ReplicaHealth.Up, null, 22);
    }

    [Fact]
    public void Standing_OfOneThatAskedForAPause_SaysSoUntilItIsOver()
    {
        _replica.BackOff(Pause);
        Expect(ReplicaHealth.BackingOff, "asked to back off", 2);

        _time.Advance(Pause);

        Expect(ReplicaHealth.Up, null, 12);
    }

    [Fact]
    public void Standing_Drained_IsOfTheLastChange()
    {
        _replica.SetDraining(true);
        _time.Advance(TimeSpan.FromSeconds(5));
        _replica.SetDraining(true);
        Expect(ReplicaHealth.Draining, "draining", 2);

        _replica.SetDraining(false);

        Expect(ReplicaHealth.Up, null, 7);
    }

    [Fact]
    public void Standing_OfOneThatHangs_SaysHowLongItWasSilent()
    {
        var told = new List<string>();
        _replica.Suspended += told.Add;
        _replica.Observe(new EngineReport { Engine = EngineKind.Vllm, Progress = 1, LoadReadAt = _time.GetTimestamp() });
        _time.Advance(TimeSpan.FromSeconds(90));
        _replica.Observe(new EngineReport { Engine = EngineKind.Vllm, Progress = 1, LoadReadAt = _time.GetTimestamp() });

        Assert.True(_replica.IsHung(TimeSpan.FromSeconds(90), isStream: true));
        Assert.True(_replica.IsHung(TimeSpan.FromSeconds(89), isStream: true));

        Expect(ReplicaHealth.Suspended, "hung: silent for 90 s", 92);
        Assert.Equal(["hung: silent for 90 s"], told);
    }

    private void Expect(ReplicaHealth health, string? reason, int sinceSeconds) =>
        Assert.Equal(new ReplicaStanding(health, reason, _start + TimeSpan.FromSeconds(sinceSeconds)), _replica.Standing);
}
