using Gateway.Replicas;

namespace Gateway.Tests.Replicas;

public sealed class StepWatchTests
{
    private readonly StepWatch _steps = new();

    [Fact]
    public void OnSent_ToAnIdleEngine_IsComputedAtOnce()
    {
        _steps.OnSent(500, isFirst: true, isIdle: true, now: 7);

        Assert.Equal((7, 0), (_steps.PrefillingSince, _steps.JoiningTokens));
    }

    [Fact]
    public void OnSent_ToABusyEngine_JoinsTheNextStepUntilSomethingIsHeard()
    {
        _steps.OnSent(500, isFirst: true, isIdle: true, now: 7);

        _steps.OnSent(40, isFirst: false, isIdle: false, now: 8);
        _steps.OnSent(60, isFirst: false, isIdle: false, now: 9);
        var joining = _steps.JoiningTokens;
        _steps.OnHeard(10);

        Assert.Equal((100, 0), (joining, _steps.JoiningTokens));
    }

    [Fact]
    public void OnSent_AfterSomethingWasHeard_JoinsAlone()
    {
        _steps.OnSent(500, isFirst: true, isIdle: true, now: 7);
        _steps.OnSent(40, isFirst: false, isIdle: false, now: 8);
        _steps.OnHeard(9);

        _steps.OnSent(60, isFirst: false, isIdle: false, now: 10);

        Assert.Equal(60, _steps.JoiningTokens);
    }

    [Fact]
    public void PrefillingSince_OfTheOnlyPromptBesideAnswers_IsTheEndOfTheStepThatItFound()
    {
        _steps.OnSent(1, isFirst: true, isIdle: true, now: 5);
        _steps.OnPrefilled(6);

        _steps.OnSent(9_000, isFirst: true, isIdle: false, now: 20);
        _steps.OnHeard(22);
        _steps.OnHeard(30);

        Assert.Equal(22, _steps.PrefillingSince);
    }

    [Fact]
    public void PrefillingSince_OfPromptsOneBehindTheOther_IsTheEndOfTheOneBefore()
    {
        _steps.OnSent(9_000, isFirst: true, isIdle: true, now: 5);
        _steps.OnSent(9_000, isFirst: false, isIdle: false, now: 6);

        _steps.OnHeard(9);
        _steps.OnPrefilled(12);
        _steps.OnHeard(14);

        Assert.Equal(12, _steps.PrefillingSince);
    }
}
