using Gateway.Forwarding;
using Gateway.Forwarding.Attempts;
using Gateway.Replicas.Rates;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Forwarding.Attempts;

public sealed class HedgeTests : IDisposable
{
    private readonly CorePool _world = new(replicas: 2);
    private readonly HttpClientHandler _connections = new();
    private readonly TaskCompletionSource _isHedged = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _fault = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Dispose()
    {
        _connections.Dispose();
        _world.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_WhenOneOfTwoAttemptsFaults_ReturnsThePlaceOfTheSecond(bool isFirst)
    {
        Learn();
        var options = new ResilienceOptions { Hedge = new HedgeOptions { Share = 0.5 } };
        var upstream = new UpstreamPool(_world.Pool, _connections, () => options, _ => null, new UpstreamEvents(), _world.Time);
        for (var i = 0; i < 10; i++)
        {
            upstream.Hedges.OnRequest();
        }
        using var body = RequestBytes.Begin();
        var outgoing = new OutgoingRequest(CorePool.Request(), CorePool.Cost(), body, options);
        var turns = new Turns(outgoing, _world.Dispatcher, upstream);
        var first = turns.Take(_world.Enter(outgoing.Request).Result!.Value);
        turns.OnSending(first.Replica);
        first.Start(upstream.Clock(outgoing, default, first.Replica));
        var hedge = new Hedge(outgoing, upstream, turns, (attempt, _) =>
        {
            if (attempt != first)
            {
                _isHedged.SetResult();
            }
            return attempt == first == isFirst ? FaultAsync() : UntilCancelledAsync(attempt);
        });

        var run = hedge.RunAsync(first, default).AsTask();
        _world.Time.Advance(TimeSpan.FromMinutes(1));
        await _isHedged.Task.ComesAsync("the second attempt");
        _fault.SetResult();

        await Assert.ThrowsAsync<InvalidOperationException>(() => run.ComesAsync("the end of both"));
        Assert.Equal([first.Replica], _world.Pool.ReplicaList.Where(replica => replica.Snapshot().RunningRequests > 0));
        first.Abandon();
        first.Stop();
    }

    private async Task<AttemptResult> FaultAsync()
    {
        await _fault.Task;
        throw new InvalidOperationException("broken");
    }

    private static async Task<AttemptResult> UntilCancelledAsync(Attempt attempt)
    {
        var cancelled = new TaskCompletionSource();
        using var _ = attempt.Clock!.Token.Register(cancelled.SetResult);
        await cancelled.Task;
        return new AttemptResult(null!, attempt, null, new AttemptFailure(FailureKind.Timeout));
    }

    private void Learn()
    {
        for (var i = 0; i < 64; i++)
        {
            var reservation = _world.Enter(CorePool.Request()).Result!.Value.Reservation!;
            _world.Time.Advance(TimeSpan.FromMilliseconds(100));
            reservation.OnFirstToken();
            _world.Time.Advance(TimeSpan.FromMilliseconds(500));
            reservation.OnAnswered(new ServedAnswer(50, 100, 0, _world.Time.GetTimestamp()));
            reservation.Dispose();
        }
    }
}
