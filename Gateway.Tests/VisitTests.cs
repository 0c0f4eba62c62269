using Gateway.Queueing;
using Gateway.Requests;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests;

public sealed class VisitTests
{
    private readonly Fakes.ManualTime _time = new();

    [Fact]
    public void Complete_AfterWaitsAtTwoModels_CountsBothAsWaits()
    {
        using var visit = new Visit(new DefaultHttpContext(), ApiRoute.ChatCompletions, _time);

        // A reload renamed the model that it waited for; its successor has no room.
        Wait(visit, 3, AdmissionOutcome.RejectedShuttingDown);
        Wait(visit, 2, AdmissionOutcome.ExpiredInQueue);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        var completed = visit.Complete(TenantNaming.Off);

        Assert.Equal(TimeSpan.FromSeconds(5), completed.QueueWait);
        Assert.Equal(TimeSpan.FromMilliseconds(1), completed.Overhead);
    }

    private void Wait(Visit visit, int seconds, AdmissionOutcome outcome)
    {
        _time.Advance(TimeSpan.FromSeconds(seconds));
        visit.Admitted(new AdmissionResult { Outcome = outcome, Waited = TimeSpan.FromSeconds(seconds) });
    }
}
