using System.Net;
using System.Text.Json;
using Gateway.Simulation.Serving;
using Xunit.Abstractions;

namespace Gateway.Tests.Simulation.Serving;

public sealed class EngineFaultsTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Stream = """{"stream":true,"messages":[{"role":"user","content":"answer with 20 tokens"}]}""";
    private const string Whole = """{"messages":[{"role":"user","content":"answer with 20 tokens"}]}""";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private SimulatedEngine _engine = null!;
    private EngineClient _client = null!;

    public async Task InitializeAsync()
    {
        _engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 50, Seed = 3 }, default);
        _client = new EngineClient(_engine);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _engine.DisposeAsync();
    }

    [Fact]
    public async Task FailRate_OfAHalf_FailsAboutHalfAndTheSameOnesForTheSameSeed()
    {
        _engine.Faults = new EngineFaults { FailRate = 0.5 };
        var first = await StatusesAsync(_client, 60);
        await using var twin = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 50, Seed = 3, Faults = new EngineFaults { FailRate = 0.5 } }, default);
        using var twinClient = new EngineClient(twin);

        var second = await StatusesAsync(twinClient, 60);

        Assert.Equal(first, second);
        Assert.InRange(first.Count(status => status == 500), 15, 45);
        Assert.DoesNotContain(first, status => status is not (200 or 500));
    }

    [Fact]
    public async Task RefuseStatus_WithRetryAfter_IsAnsweredAtOnce()
    {
        _engine.Faults = new EngineFaults { RefuseStatus = 429, RetryAfter = "7" };

        using var response = await _client.SendAsync("/v1/chat/completions", Whole);

        Assert.Equal(429, (int)response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(7), response.Headers.RetryAfter?.Delta);
    }

    [Fact]
    public async Task DieAfterTokens_InAStream_CutsTheConnectionAfterThatManyFrames()
    {
        _engine.Faults = new EngineFaults { DieAfterTokens = 5 };
        using var response = await _client.SendAsync("/v1/chat/completions", Stream);

        var (frames, fault) = await ReadFramesAsync(response);

        Assert.Equal(1 + 5, frames.Count);
        Assert.IsAssignableFrom<IOException>(fault);
    }

    [Fact]
    public async Task StallAfterTokens_InAStream_GoesSilentUntilTheClientLeaves()
    {
        _engine.Faults = new EngineFaults { StallAfterTokens = 3 };
        using var leave = new CancellationTokenSource();
        using var response = await _client.SendAsync("/v1/chat/completions", Stream, leave.Token);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        for (var frame = 0; frame < 1 + 3; frame++)
        {
            await ReadFrameAsync(reader);
        }

        var next = reader.ReadLineAsync(leave.Token);
        await UntilAsync(() => _engine.Counters.Running == 0 && _engine.Counters.GeneratedTokens == 20, "the engine generated the rest");

        Assert.False(next.IsCompleted);
        Assert.Equal(1, _engine.Journal.Open);
        await leave.CancelAsync();
        response.Dispose();
        await UntilAsync(() => _engine.Journal is { Open: 0, Cancelled: 1 }, "the engine noticed that the client left");
    }

    [Fact]
    public async Task MalformedFrameAt_AToken_PutsOneFrameThatIsNotJsonBeforeIt()
    {
        _engine.Faults = new EngineFaults { MalformedFrameAt = 2 };

        var frames = await _client.PostStreamAsync("/v1/chat/completions", Stream);

        Assert.Equal([1 + 2], frames.Select((frame, index) => (frame, index)).Where(one => one.frame != "data: [DONE]" && !IsJson(one.frame["data: ".Length..])).Select(one => one.index));
    }

    [Fact]
    public async Task CutWithoutFinish_EndsInOrderWithNeitherReasonNorSentinel()
    {
        _engine.Faults = new EngineFaults { CutWithoutFinish = true };

        var frames = await _client.PostStreamAsync("/v1/chat/completions", Stream);

        Assert.Equal(1 + 20, frames.Count);
        Assert.All(frames, frame => Assert.Contains("\"finish_reason\":null", frame, StringComparison.Ordinal));
    }

    [Fact]
    public async Task OmitDone_EndsWithTheFinishReason()
    {
        _engine.Faults = new EngineFaults { OmitDone = true };

        var frames = await _client.PostStreamAsync("/v1/chat/completions", Stream);

        Assert.Contains("\"finish_reason\":\"stop\"", frames[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task NonsenseBody_Is200WithoutJson()
    {
        _engine.Faults = new EngineFaults { NonsenseBody = true };

        using var response = await _client.SendAsync("/v1/chat/completions", Whole);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.False(IsJson(await response.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task WrongLength_BreaksTheBodyOff()
    {
        _engine.Faults = new EngineFaults { WrongLength = true };

        using var response = await _client.SendAsync("/v1/chat/completions", Whole);

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task EndlessHeader_GoesPastEveryLimit()
    {
        _engine.Faults = new EngineFaults { EndlessHeader = true };

        var fault = await Assert.ThrowsAnyAsync<HttpRequestException>(() => _client.SendAsync("/v1/chat/completions", Whole));

        Assert.Contains("header", fault.ToString(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task HangHealth_LeavesProbesWithoutAnswerAndRequestsWithOne()
    {
        _engine.Faults = new EngineFaults { HangHealth = true };
        using var leave = new CancellationTokenSource();
        var probe = _client.Http.GetAsync(new Uri("/health", UriKind.Relative), leave.Token);

        await _client.PostJsonAsync("/v1/chat/completions", Whole);

        Assert.False(probe.IsCompleted);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => probe);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Disconnect_OfTheClient_FreesTheEngineAtOnce(bool isStream)
    {
        await using var slow = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 1 }, default);
        using var client = new EngineClient(slow);
        using var leave = new CancellationTokenSource();
        var body = Whole.Replace("answer with 20", "answer with 9000", StringComparison.Ordinal).Replace("{\"messages", isStream ? "{\"stream\":true,\"messages" : "{\"messages", StringComparison.Ordinal);
        var answer = client.SendAsync("/v1/chat/completions", body, leave.Token);
        await UntilAsync(() => slow.Counters.GeneratedTokens > 2, "the engine began");

        await leave.CancelAsync();
        if (isStream)
        {
            (await answer).Dispose();
        }

        await UntilAsync(() => slow.Counters is { Running: 0, UsedBlocks: 0 } && slow.Journal is { Open: 0, Cancelled: 1 }, "the engine let go");
        Assert.InRange(slow.Counters.GeneratedTokens, 1, 1_000);
    }

    [Fact]
    public async Task Requests_OfWhichManyLeaveAtRandom_LeaveNothingBehind()
    {
        const int Seed = 41;
        output.WriteLine($"seed {Seed}");
        await using var small = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 20, KvBlocks = 200, MaxModelTokens = 1_000, MaxSequences = 16 }, default);
        using var client = new EngineClient(small);
        var patience = Enumerable.Repeat(new Random(Seed), 400).Select(chance => (Stays: chance.Next(2) == 0, Frames: chance.Next(20), Tokens: chance.Next(1, 200))).ToArray();

        await Task.WhenAll(patience.Select(async one =>
        {
            using var leave = new CancellationTokenSource();
            using var response = await client.SendAsync("/v1/chat/completions", Stream.Replace("20", $"{one.Tokens}", StringComparison.Ordinal), leave.Token);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            for (var frame = 0; (one.Stays || frame < one.Frames) && await ReadFrameAsync(reader) is not null; frame++)
            {
            }

            await leave.CancelAsync();
        }));

        await UntilAsync(() => small.Counters is { Running: 0, Waiting: 0, UsedBlocks: 0 } && small.Journal.Open == 0, "everything was let go");
        Assert.Equal(400, small.Journal.Started);
        Assert.True(small.Journal.Finished >= patience.Count(one => one.Stays) && small.Journal.Cancelled > 50, $"{small.Journal.Finished} finished, {small.Journal.Cancelled} left");
    }

    [Fact]
    public async Task Dispose_WithOpenStreams_EndsThem()
    {
        var slow = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 0.1 }, default);
        using var client = new EngineClient(slow);
        using var response = await client.SendAsync("/v1/chat/completions", Stream);

        await slow.DisposeAsync().AsTask().WaitAsync(Patience);

        var (_, fault) = await ReadFramesAsync(response);
        Assert.NotNull(fault);
    }

    private static async Task<int[]> StatusesAsync(EngineClient client, int requests)
    {
        var statuses = new int[requests];
        for (var index = 0; index < requests; index++)
        {
            using var response = await client.SendAsync("/tokenize", """{"prompt":"x"}""");
            statuses[index] = (int)response.StatusCode;
        }

        return statuses;
    }

    private static async Task<(List<string> Frames, Exception? Fault)> ReadFramesAsync(HttpResponseMessage response)
    {
        var frames = new List<string>();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        try
        {
            while (await ReadFrameAsync(reader) is { } frame)
            {
                frames.Add(frame);
            }
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException)
        {
            return (frames, fault);
        }

        return (frames, null);
    }

    private static async Task<string?> ReadFrameAsync(StreamReader reader)
    {
        var frame = await reader.ReadLineAsync().WaitAsync(Patience);
        if (frame is not null)
        {
            Assert.Equal(string.Empty, await reader.ReadLineAsync().WaitAsync(Patience));
        }

        return frame;
    }

    private static async Task UntilAsync(Func<bool> holds, string what)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Patience, "waited in vain until " + what);
            await Task.Yield();
        }
    }

    private static bool IsJson(string text)
    {
        try
        {
            JsonDocument.Parse(text).Dispose();
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
