using System.Net;
using Gateway.Replicas.Engines;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas.Engines;

public sealed class EngineClientTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public async Task GetAsync_BelowAPathPrefix_AsksThereWithTheKey()
    {
        var engine = new CannedEngine().With("/tenant/a/health", "fine");
        var client = new EngineClient(new HttpMessageInvoker(engine), new Uri("http://engine:8000/tenant/a/"), "k-1", TimeSpan.FromSeconds(1), _time);

        using var answer = await client.GetAsync("/health", CancellationToken.None);

        Assert.True(answer.IsSuccess);
        Assert.Equal("fine"u8.ToArray(), answer.Body.ToArray());
        Assert.Equal([(HttpMethod.Get, "/tenant/a/health", "Bearer k-1")], engine.Asked);
    }

    [Fact]
    public async Task GetAsync_WhenTheEngineIsSilent_GivesUpInTimeAndCallsItSlow()
    {
        var engine = new CannedEngine().WithSilence("/health");

        var asking = engine.Client(_time).GetAsync("/health", CancellationToken.None);
        _time.Advance(TimeSpan.FromSeconds(4.9));
        var before = asking.IsCompleted;
        _time.Advance(TimeSpan.FromSeconds(0.2));
        using var answer = await asking;

        Assert.False(before);
        Assert.True(answer.IsSlow);
        Assert.Equal(0, answer.Status);
        Assert.Equal(0, _time.ActiveTimers);
    }

    [Fact]
    public async Task GetAsync_WhenTheBodyNeverEnds_GivesUpInTime()
    {
        var engine = new CannedEngine().With("/metrics", _ => Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(new EndlessStream(0)) }));

        var asking = engine.Client(_time).GetAsync("/metrics", CancellationToken.None);
        _time.Advance(TimeSpan.FromSeconds(5));
        using var answer = await asking;

        Assert.True(answer.IsSlow);
    }

    [Fact]
    public async Task GetAsync_WhenTheBodyIsHuge_StopsReadingAtTheLimit()
    {
        var body = new EndlessStream(1 << 20);
        var engine = new CannedEngine().With("/metrics", _ => Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(body) }));

        using var answer = await engine.Client(_time).GetAsync("/metrics", CancellationToken.None);

        Assert.False(answer.IsSuccess);
        Assert.Contains("8 MiB", answer.Failure, StringComparison.Ordinal);
        Assert.InRange(body.BytesRead, EngineClient.MaxBodyBytes, 2L * EngineClient.MaxBodyBytes);
    }

    [Fact]
    public async Task GetAsync_WhenNobodyListens_IsAValueNotAnException()
    {
        var engine = new CannedEngine { IsGone = true };

        using var answer = await engine.Client(_time).GetAsync("/health", CancellationToken.None);

        Assert.False(answer.IsSlow);
        Assert.Contains("ConnectionError", answer.Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task GetAsync_WhenTheCallerGivesUp_Throws()
    {
        var engine = new CannedEngine().WithSilence("/health");
        using var leaving = new CancellationTokenSource();

        var asking = engine.Client(_time).GetAsync("/health", leaving.Token);
        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
    }

    /// <summary>Gives as much as is asked for, without end; with a largest read of 0, nothing and no end.</summary>
    private sealed class EndlessStream(int largestRead) : MemoryStream
    {
        public long BytesRead { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (largestRead == 0)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            }
            var read = Math.Min(buffer.Length, largestRead);
            BytesRead += read;
            return read;
        }
    }
}
