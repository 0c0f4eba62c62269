using Gateway.Replicas;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>What the attempts of one request share, its time and its place, and what each of them says about its replica.</summary>
public sealed class AttemptTests
{
    private const string Completions = "/v1/chat/completions";
    private const string Ask = """{"model":"demo","messages":[{"role":"user","content":"hello"}]}""";
    private const string AskStream = """{"model":"demo","messages":[{"role":"user","content":"hello"}],"stream":true}""";
    private const string Speech = """{"model":"demo","input":"say it","voice":"x"}""";

    [Fact]
    public async Task Stream_ThatFlowsUntilItsTotalTimeIsOver_IsNotSentOnAndNoFaultOfAnyReplica()
    {
        const string Event = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
        Func<ScriptedCall, Task> begins = async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(Event);
            await call.ClientGoneAsync();
        };
        await using var one = new ScriptedEngine(begins);
        await using var other = new ScriptedEngine(begins);
        await using var world = await GatewayWorld.BeforeAsync([one, other], options => options with { Resilience = options.Resilience with { TotalTimeout = TimeSpan.FromSeconds(1) } });

        using var response = await world.PostAsync("/v1/chat/completions", """{"model":"demo","messages":[],"stream":true}""");
        var received = await response.Content.ReadAsStringAsync().ComesAsync("the end of the stream");

        Assert.Contains("upstream_timeout", received, StringComparison.Ordinal);
        Assert.Equal(1, one.Calls.Count + other.Calls.Count);
        Assert.All(world.Pool.ReplicaList, replica => Assert.Equal(0, replica.FaultsInARow));
        Assert.Equal(0, await world.Client.MetricAsync("gateway_streams_continued_total"));
        await world.AtRestAsync();
    }

    [Fact]
    public async Task PlainAnswer_ThatTookTheWholeTime_IsNotAskedOfAnotherModel()
    {
        await using var silent = new ScriptedEngine(call => call.ClientGoneAsync(), ["demo"]);
        await using var other = new ScriptedEngine(call => call.JsonAsync("{}"), ["other"]);
        await using var world = await GatewayWorld.BeforeAsync([silent, other], options => options with
        {
            Models =
            [
                options.Models[0] with { Aliases = [], Fallbacks = ["other"], Replicas = [options.Models[0].Replicas[0]] },
                options.Models[0] with { Name = "other", Aliases = [], Replicas = [options.Models[0].Replicas[1]] },
            ],
            Resilience = options.Resilience with { TotalTimeout = TimeSpan.FromSeconds(1) },
        });

        using var response = await world.PostAsync("/v1/chat/completions", """{"model":"demo","messages":[]}""").ComesAsync("the refusal");

        await ErrorAnswer.AssertAsync(response, 504, "upstream_timeout");
        Assert.Equal([1, 0], world.Server.Core.Models.Select(model => model.Pool.ReplicaList[0].FaultsInARow));
        Assert.Empty(other.Calls);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Retry_ThatFindsNoPlace_IsTheLastOne()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("""{"error":{"message":"busy"}}""", 503, "Retry-After: 30\r\n"));
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Queue = new() { MaxWait = TimeSpan.FromMilliseconds(100) } });

        using var response = await world.PostAsync(Completions, Ask).ComesAsync("the refusal");

        await ErrorAnswer.AssertAsync(response, 503, "upstream_busy");
        Assert.Single(engine.Calls);
        Assert.Equal(1, await world.Client.MetricAsync("gateway_retries_total"));
        await world.AtRestAsync();
    }

    // At most a minute, and the configured time where nothing is asked for.
    [Theory]
    [InlineData("Retry-After: 86400", 60)]
    [InlineData("Retry-After: Thu, 31 Dec 2099 23:59:59 GMT", 60)]
    [InlineData("Retry-After: Thu, 01 Jan 2015 00:00:40 GMT", 20)]
    [InlineData("Date: Thu, 01 Jan 2015 00:00:00 GMT\r\nRetry-After: Thu, 01 Jan 2015 00:00:40 GMT", 40)]
    [InlineData("Date: Thu, 31 Dec 2099 23:59:59 GMT\r\nRetry-After: Thu, 31 Dec 2099 23:59:00 GMT", 20)]
    public async Task BackOff_AskedForByTheEngine_LastsAsLongByTheClockThatWroteIt(string headers, int seconds)
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("""{"error":{"message":"busy"}}""", 503, headers + "\r\n"));
        await using var world = await GatewayWorld.BeforeAsync(
            [engine], options => options with { Resilience = options.Resilience with { MaxRetries = 0, Backoff = TimeSpan.FromSeconds(20) } });

        using var response = await world.PostAsync(Completions, Ask);

        var replica = world.Pool.ReplicaList[0];
        Assert.Equal(ReplicaHealth.BackingOff, replica.Health);
        Assert.InRange(replica.TimeUntilRetry()!.Value, TimeSpan.FromSeconds(seconds - 15), TimeSpan.FromSeconds(seconds));
    }

    [Fact]
    public async Task Deadline_PassedWhileTheEngineWorks_Is504AndNoFaultOfTheReplica()
    {
        await using var engine = new ScriptedEngine(call => call.ClientGoneAsync());
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Resilience = options.Resilience with { FailuresToOpen = 1 } });

        // Long enough for a busy machine to reach the engine in time.
        using var response = await world.PostAsync(Completions, Ask, [("x-gateway-deadline-ms", "2000")]).ComesAsync("the refusal");

        await ErrorAnswer.AssertAsync(response, 504, "deadline_exceeded");
        Assert.Equal("false", response.Headers.GetValues("x-should-retry").Single());
        Assert.Equal(ReplicaHealth.Up, world.Pool.ReplicaList[0].Health);
        Assert.Single(engine.Calls);
        await world.AtRestAsync();
    }

    [Theory]
    [InlineData(Ask, "2", "3600")]
    [InlineData(AskStream, "3600", "2")]
    public async Task ClientsTimeout_PassedWhileTheEngineWorks_Is504AndNoFaultOfTheReplica(string body, string timeout, string streamTimeout)
    {
        await using var engine = new ScriptedEngine(call => call.ClientGoneAsync());
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Resilience = options.Resilience with { FailuresToOpen = 1 } });

        using var response = await world.PostAsync(Completions, body, [("x-litellm-timeout", timeout), ("x-litellm-stream-timeout", streamTimeout)]).ComesAsync("the refusal");

        await ErrorAnswer.AssertAsync(response, 504, "upstream_timeout");
        Assert.Equal((ReplicaHealth.Up, 0), (world.Pool.ReplicaList[0].Health, world.Pool.ReplicaList[0].FaultsInARow));
        Assert.Single(engine.Calls);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task ClientsTimeout_PassedInAStream_EndsItAndIsNoFaultOfTheReplica()
    {
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"}}]}\n\n");
            await call.ClientGoneAsync();
        });
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Resilience = options.Resilience with { FailuresToOpen = 1 } });

        using var response = await world.PostAsync(Completions, AskStream, [("x-litellm-timeout", "3")]).ComesAsync("the stream");
        var stream = await response.Content.ReadAsStringAsync().ComesAsync("the end");

        Assert.Contains("half", stream, StringComparison.Ordinal);
        Assert.Contains("upstream_timeout", stream, StringComparison.Ordinal);
        await world.AtRestAsync();
        Assert.Equal((ReplicaHealth.Up, 0), (world.Pool.ReplicaList[0].Health, world.Pool.ReplicaList[0].FaultsInARow));
        Assert.Single(engine.Calls);
    }

    [Theory]
    [InlineData(Completions, false)]
    [InlineData("/v1/messages/count_tokens", true)]
    public async Task ClientsTimeout_ThatHasPassed_LeavesNothingForAnotherModel(string path, bool isAnthropic)
    {
        await using var engine = new ScriptedEngine(call => call.ClientGoneAsync(), ["demo", "other"]);
        await using var world = await GatewayWorld.BeforeAsync(
            [engine], options => options with { Models = [options.Models[0] with { Fallbacks = ["other"] }, options.Models[0] with { Name = "other", Aliases = [] }] });

        using var response = await world.PostAsync(path, Ask, [("x-litellm-timeout", "2")]).ComesAsync("the refusal");

        await ErrorAnswer.AssertAsync(response, 504, "upstream_timeout", isAnthropic);
        Assert.Single(engine.Calls);
    }

    [Fact]
    public async Task ClientsTimeout_AboveTheConfiguredOne_ChangesNothing()
    {
        await using var engine = new ScriptedEngine(call => call.ClientGoneAsync());
        await using var world = await GatewayWorld.BeforeAsync(
            [engine], options => options with { Resilience = options.Resilience with { TotalTimeout = TimeSpan.FromMilliseconds(300) } });

        using var response = await world.PostAsync(Completions, Ask, [("x-litellm-timeout", "3600")]).ComesAsync("the refusal");

        await ErrorAnswer.AssertAsync(response, 504, "upstream_timeout");
    }

    [Theory]
    [InlineData(null, 2, 3)]
    [InlineData("0", 2, 1)]
    [InlineData("1", 2, 2)]
    [InlineData("7", 1, 2)]
    public async Task Retries_OfOneWhoseClientNamesTheirNumber_AreTheLesserOfItAndTheConfigured(string? asked, int configured, int attempts)
    {
        await using var first = new ScriptedEngine(LoseAsync);
        await using var second = new ScriptedEngine(LoseAsync);
        await using var third = new ScriptedEngine(LoseAsync);
        ScriptedEngine[] engines = [first, second, third];
        await using var world = await GatewayWorld.BeforeAsync(engines, options => options with { Resilience = options.Resilience with { MaxRetries = configured } });

        using var response = await world.PostAsync(Completions, Ask, asked is null ? [] : [("x-litellm-num-retries", asked)]).ComesAsync("the refusal");

        await ErrorAnswer.AssertAsync(response, 502, "upstream_unreachable");
        Assert.Equal(attempts, engines.Sum(engine => engine.Calls.Count));
    }

    [Fact]
    public async Task StoredResponse_WhoseAnswerWasLost_IsNotMadeTwice()
    {
        await using var first = new ScriptedEngine(LoseAsync);
        await using var second = new ScriptedEngine(LoseAsync);
        await using var world = await GatewayWorld.BeforeAsync([first, second]);

        using var response = await world.PostAsync("/v1/responses", """{"model":"demo","input":"x","store":true}""");

        await ErrorAnswer.AssertAsync(response, 502, "upstream_unreachable");
        Assert.Equal(1, first.Calls.Count + second.Calls.Count);
    }

    [Fact]
    public async Task StoredResponse_ThatNeverReachedAReplica_IsMadeByAnother()
    {
        await using var gone = new ScriptedEngine(LoseAsync);
        await using var second = new ScriptedEngine(call => call.JsonAsync("""{"id":"resp_1","object":"response","status":"completed","output":[]}"""));
        await using var world = await GatewayWorld.BeforeAsync([gone, second]);
        gone.Close();

        for (var i = 0; i < 6; i++)
        {
            using var response = await world.PostAsync("/v1/responses", """{"model":"demo","input":"x","store":true}""");

            Assert.Equal(200, (int)response.StatusCode);
        }
    }

    [Fact]
    public async Task Serve_HeaderThatHttpForbids_IsAClearErrorInTheApisShape()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("""{"id":1}""", headers: "X-Odd: a\u0001b\r\n"));
        await using var world = await GatewayWorld.BeforeAsync([engine]);

        using var response = await world.PostAsync(Completions, Ask);

        await ErrorAnswer.AssertAsync(response, 502, "upstream_bad_answer");
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Audio_ThatBreaksOff_IsCutForTheClientAndAFaultOfTheReplica()
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync("audio/mpeg");
            await call.ChunkAsync("half of it");
            await begun.Task;
            call.Reset();
        });
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Resilience = options.Resilience with { FailuresToOpen = 1 } });

        using var response = await world.PostAsync("/v1/audio/speech", Speech);
        begun.SetResult();

        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync().ComesAsync("the end"));
        await Until.HoldsAsync(() => world.Pool.ReplicaList[0].FaultsInARow == 1, "the fault is noted");
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Audio_ThatStalls_EndsWithTheRequestsTime()
    {
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync("audio/mpeg");
            await call.ChunkAsync("half of it");
            await call.ClientGoneAsync();
        });
        await using var world = await GatewayWorld.BeforeAsync(
            [engine], options => options with { Resilience = options.Resilience with { TotalTimeout = TimeSpan.FromMilliseconds(300) } });

        using var response = await world.PostAsync("/v1/audio/speech", Speech);

        await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync().ComesAsync("the end"));
        await world.AtRestAsync();
    }

    [Fact]
    public async Task StoredResponse_AskedForById_KeepsItsModel()
    {
        const string Stored = """{"id":"resp_1","object":"response","model":"demo","status":"completed","output":[]}""";
        await using var engine = new ScriptedEngine(call => call.JsonAsync(Stored));
        await using var world = await GatewayWorld.BeforeAsync([engine]);
        using var made = await world.PostAsync("/v1/responses", """{"model":"demo","input":"x"}""");
        await made.Content.ReadAsStringAsync();

        using var got = await world.Client.GetAsync("/v1/responses/resp_1");

        Assert.Equal(Stored, await got.Content.ReadAsStringAsync());
    }

    private static async Task LoseAsync(ScriptedCall call)
    {
        await call.ReadBodyAsync();
        call.Reset();
    }
}
