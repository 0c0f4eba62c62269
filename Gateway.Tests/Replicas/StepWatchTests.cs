using Gateway.Replicas;

namespace Gateway.Tests.Replicas;

public sealed class StepWatchTests
{
    [Fact]
    public void OnSent_ToAnIdleEngine_BeginsItsStep()
    {
        var steps = new StepWatch();

        steps.OnSent(500, isIdle: true, now: 7);

        Assert.Equal((7, 0), (steps.BeganAt, steps.JoiningTokens));
    }

    [Fact]
    public void OnSent_ToABusyEngine_JoinsTheNextStepUntilSomethingIsHeard()
    {
        var steps = new StepWatch();
        steps.OnSent(500, isIdle: true, now: 7);

        steps.OnSent(40, isIdle: false, now: 8);
        steps.OnSent(60, isIdle: false, now: 9);
        var joining = steps.JoiningTokens;
        steps.OnHeard(10);

        Assert.Equal((100, 0, 10), (joining, steps.JoiningTokens, steps.BeganAt));
    }

    [Fact]
    public void OnSent_AfterSomethingWasHeard_JoinsAlone()
    {
        var steps = new StepWatch();
        steps.OnSent(500, isIdle: true, now: 7);
        steps.OnSent(40, isIdle: false, now: 8);
        steps.OnHeard(9);

        steps.OnSent(60, isIdle: false, now: 10);

        Assert.Equal((60, 9), (steps.JoiningTokens, steps.BeganAt));
    }
}
