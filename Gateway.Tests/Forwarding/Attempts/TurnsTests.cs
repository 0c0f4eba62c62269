using Gateway.Forwarding;
using Gateway.Forwarding.Attempts;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Forwarding.Attempts;

public sealed class TurnsTests : IDisposable
{
    private readonly CorePool _world = new();
    private readonly RecordedCharges _charges = new();
    private readonly HttpClientHandler _connections = new();

    public TurnsTests() => _world.Plan = _world.Plan with { Order = _charges };

    public void Dispose()
    {
        _connections.Dispose();
        _world.Dispose();
    }

    [Theory]
    [InlineData(true, null, 50)]
    [InlineData(true, FailureKind.ClientGone, 50)]
    [InlineData(true, FailureKind.EngineError, 0)]
    [InlineData(false, null, 0)]
    public void Settle_OfAnAnswerThatToldNoOutput_ChargesWhatGoesOnInTheBackgroundAsExpected(bool isBackground, FailureKind? failure, double expected)
    {
        var options = new ResilienceOptions();
        var upstream = new UpstreamPool(_world.Pool, _connections, () => options, _ => null, new UpstreamEvents(), _world.Time);
        var asked = CorePool.Request();
        var request = asked with { Route = ApiRoute.All.First(route => route.Kind == ApiKind.Responses), Body = asked.Body with { IsBackground = isBackground } };
        using var body = RequestBytes.Begin();
        var turns = new Turns(new OutgoingRequest(request, CorePool.Cost(100, 50), body, options), _world.Dispatcher, upstream);
        var attempt = turns.Take(_world.Enter(request, CorePool.Cost(100, 50)).Result!.Value);
        var charged = _charges.Of[request.TenantKey].OutputTokens;

        attempt.Answer.NoteWhole();
        turns.Settle(attempt.Answer, failure is { } kind ? new AttemptFailure(kind) : null);

        Assert.Equal((50, expected), (charged, _charges.Of[request.TenantKey].OutputTokens));
        attempt.Abandon();
        attempt.Stop();
    }
}
