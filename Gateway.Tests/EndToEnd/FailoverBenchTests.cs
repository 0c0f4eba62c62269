using System.Diagnostics;
using Gateway.Replicas;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>The sixteen faults of Failover Bench, each at a provider with one replica and, where the scenario has one, another model to fall back to. After each, a healthy call works.</summary>
public sealed class FailoverBenchTests
{
    private const string Backup = "backup";
    private const string Ask = """{"model":"demo","messages":[{"role":"user","content":"sixty words"}],"stream":true,"stream_options":{"include_usage":true}}""";

    // Longer than any scenario may take: a hang fails here and not by the runner's own limit.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private int _calls;

    [Fact]
    public async Task S01_RefusedOnceWithRetryAfter_IsNotAskedAgainBeforeThat()
    {
        var askedAt = new List<long>();
        await RunAsync(call =>
        {
            askedAt.Add(Stopwatch.GetTimestamp());
            return _calls++ == 0 ? call.JsonAsync("""{"error":{"message":"slow down"}}""", 429, "Retry-After: 1\r\n") : SixtyWords.AnswerAsync(call);
        }, hasFallback: false, expects: (primary, _, answer) =>
        {
            AssertWhole(answer, GatewayWorld.Model);
            Assert.Equal(2, primary.Calls.Count);
            Assert.True(Stopwatch.GetElapsedTime(askedAt[0], askedAt[1]) >= TimeSpan.FromSeconds(0.9));
        });
    }

    [Fact]
    public Task S02_RefusedAlways_IsServedByTheFallback() =>
        RunAsync(call => call.JsonAsync("""{"error":{"message":"slow down"}}""", 429), expects: (primary, _, answer) =>
        {
            AssertWhole(answer, Backup);
            Assert.InRange(primary.Calls.Count, 1, 4);
        });

    [Fact]
    public Task S03_ServerErrorOnce_IsTriedOnceMoreAtTheSameProvider() =>
        RunAsync(call => _calls++ == 0 ? call.JsonAsync("""{"error":{"message":"oops"}}""", 500) : SixtyWords.AnswerAsync(call), expects: (primary, backup, answer) =>
        {
            AssertWhole(answer, GatewayWorld.Model);
            Assert.Equal((2, 0), (primary.Calls.Count, backup.Calls.Count));
        });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task S04_OverloadedAlways_IsServedByTheFallbackElseTheOriginalError(bool hasFallback) =>
        RunAsync(call => call.JsonAsync("""{"error":{"message":"overloaded today"}}""", 503), hasFallback, expects: (primary, _, answer) =>
        {
            Assert.InRange(primary.Calls.Count, 1, 6);
            if (hasFallback)
            {
                AssertWhole(answer, Backup);
                return;
            }
            Assert.Equal(503, answer.Status);
            Assert.Contains("overloaded today", answer.Raw, StringComparison.Ordinal);
        });

    [Fact]
    public Task S05_ResetBeforeTheHeaders_IsTriedAgainAtOnce() =>
        RunAsync(async call =>
        {
            await call.ReadBodyAsync();
            if (_calls++ == 0)
            {
                call.Reset();
                return;
            }
            await SixtyWords.AnswerAsync(call);
        }, expects: (primary, _, answer) =>
        {
            AssertWhole(answer, GatewayWorld.Model);
            Assert.Equal(2, primary.Calls.Count);
        });

    [Fact]
    public Task S06_SilenceAfterTheRequest_EndsByTheGatewaysClockWithoutASecondTryThere() =>
        RunAsync(call => call.ClientGoneAsync(), expects: (primary, _, answer) =>
        {
            AssertWhole(answer, Backup);
            Assert.Single(primary.Calls);
        });

    [Fact]
    public Task S07_HeadersAtOnceAndNoToken_MovesToTheFallback() =>
        RunAsync(async call =>
        {
            await call.BeginStreamAsync();
            await call.ClientGoneAsync();
        }, expects: (_, _, answer) => AssertWhole(answer, Backup));

    [Fact]
    public Task S08_CutAfterFortyWords_IsContinuedToTheWholeAnswer() =>
        RunAsync(call => SixtyWords.AnswerAsync(call, _calls++ == 0 ? 40 : SixtyWords.Count), expects: (primary, backup, answer) =>
        {
            AssertWhole(answer, GatewayWorld.Model);
            Assert.Equal((2, 0), (primary.Calls.Count, backup.Calls.Count));
        });

    [Fact]
    public Task S09_SilentAfterTwentyWords_IsContinuedToTheWholeAnswer() =>
        RunAsync(async call =>
        {
            var isFirst = _calls++ == 0;
            await SixtyWords.AnswerAsync(call, isFirst ? 20 : SixtyWords.Count);
            if (isFirst)
            {
                await call.ClientGoneAsync();
            }
        }, expects: (_, _, answer) => AssertWhole(answer, GatewayWorld.Model));

    [Fact]
    public Task S10_TenthFrameMalformed_IsDroppedAndTheRestDelivered() =>
        RunAsync(call => SixtyWords.AnswerAsync(call, SixtyWords.Count, i => i == 9 ? call.ChunkAsync("data: {\"choices\":[{\"del\n\n") : Task.CompletedTask),
            expects: (_, _, answer) => AssertWhole(answer, GatewayWorld.Model));

    [Fact]
    public Task S11_NoSentinel_EndsAtOnceWithUsage() =>
        RunAsync(call => SixtyWords.AnswerAsync(call, SixtyWords.Count, omitsDone: true), expects: (_, _, answer) => AssertWhole(answer, GatewayWorld.Model));

    [Fact]
    public Task S12_ContextTooSmall_IsAskedOnceAndServedByTheLargerModel() =>
        RunAsync(call => call.JsonAsync("""{"error":{"message":"This model's maximum context length is 10 tokens","type":"invalid_request_error","code":"context_length_exceeded"}}""", 400),
            expects: (primary, _, answer) =>
            {
                AssertWhole(answer, Backup);
                Assert.Single(primary.Calls);
            });

    [Fact]
    public Task S13_ContentRefused_IsHandedOnAndNotGotRound() =>
        RunAsync(call => call.JsonAsync("""{"error":{"message":"not for us","type":"invalid_request_error","code":"content_policy_violation"}}""", 400),
            expects: (primary, backup, answer) =>
            {
                Assert.Equal(400, answer.Status);
                Assert.Contains("content_policy_violation", answer.Raw, StringComparison.Ordinal);
                Assert.Equal((1, 0), (primary.Calls.Count, backup.Calls.Count));
            });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task S14_CutAndPrefillRefused_IsRestartedUnseenWhereTheWordsAreTheSame(bool isSame) =>
        RunAsync(call => _calls++ == 0
            ? SixtyWords.AnswerAsync(call, 40)
            : SixtyWords.RefusePrefillAsync(call, isSame
                ? SixtyWords.AnswerAsync
                : other => other.StreamAsync(SixtyWords.Event("demo", "{\"content\":\"something else\"}", "null"), SixtyWords.Event("demo", "{}", "\"stop\""), "data: [DONE]\n\n")),
            expects: (_, _, answer) =>
            {
                Assert.DoesNotContain("prefill", answer.Raw, StringComparison.Ordinal);
                if (isSame)
                {
                    AssertWhole(answer, GatewayWorld.Model);
                    return;
                }
                Assert.Equal(("error", string.Concat(SixtyWords.Words.Take(40))), (answer.Finish, answer.Text));
            });

    [Fact]
    public async Task S14_CutAndRestartedInOtherWords_IsCountedAsTwoBreaks()
    {
        const string Metric = "gateway_streams_continued_total";
        await using var primary = new ScriptedEngine(call => _calls++ == 0
            ? SixtyWords.AnswerAsync(call, 40)
            : SixtyWords.RefusePrefillAsync(call, other => other.StreamAsync(SixtyWords.Event("demo", "{\"content\":\"something else\"}", "null"), "data: [DONE]\n\n")));
        await using var backup = new ScriptedEngine(SixtyWords.AnswerAsync, [Backup]);
        await using var world = await StartAsync(primary, backup, hasFallback: true, TimeSpan.FromMilliseconds(200));

        var answer = await StreamedAnswer.AskAsync(world, Ask);
        await world.AtRestAsync();

        Assert.Equal("error", answer.Finish);
        await Until.HoldsAsync(async () => await world.Client.MetricAsync(Metric) >= 2, "both breaks are counted");
        Assert.Equal((1, 1), (await world.Client.MetricAsync(Metric, "restarted"), await world.Client.MetricAsync(Metric, "not_allowed")));
    }

    [Fact]
    public async Task S15_OverloadedForAWhile_IsServedByTheFallbackAndReturnsToThePrimary()
    {
        var isDown = true;
        await using var primary = new ScriptedEngine(call => isDown ? call.JsonAsync("""{"error":{"message":"overloaded"}}""", 503) : SixtyWords.AnswerAsync(call));
        await using var backup = new ScriptedEngine(SixtyWords.AnswerAsync, [Backup]);
        await using var world = await StartAsync(primary, backup, hasFallback: true, TimeSpan.FromSeconds(1));

        for (var i = 0; i < 15; i++)
        {
            AssertWhole(await StreamedAnswer.AskAsync(world, Ask), Backup);
        }
        var asked = primary.Calls.Count;
        isDown = false;
        await Until.HoldsAsync(() => world.Pool.ReplicaList[0].Health == ReplicaHealth.Up, "the back-off is over");

        Assert.InRange(asked, 1, 6);
        AssertWhole(await StreamedAnswer.AskAsync(world, Ask), GatewayWorld.Model);
    }

    [Fact]
    public Task S16_FallbackAnswers_ModelAndUsageAreItsOwn() =>
        RunAsync(call => call.JsonAsync("""{"error":{"message":"overloaded"}}""", 503), expects: (primary, backup, answer) =>
        {
            AssertWhole(answer, Backup);
            Assert.Equal($"{SixtyWords.PromptTokens}+{SixtyWords.Count}={SixtyWords.PromptTokens + SixtyWords.Count}", answer.Usage);
            Assert.InRange(primary.Calls.Count + backup.Calls.Count, 2, 6);
        });

    private static void AssertWhole(StreamedAnswer answer, string model)
    {
        Assert.Equal(SixtyWords.Whole, answer.Text);
        Assert.Equal((200, "stop", model, 1), (answer.Status, answer.Finish, answer.Model, answer.Roles));
        Assert.Equal($"{SixtyWords.PromptTokens}+{SixtyWords.Count}={SixtyWords.PromptTokens + SixtyWords.Count}", answer.Usage);
    }

    private static async Task RunAsync(Func<ScriptedCall, Task> fault, bool hasFallback = true, Action<ScriptedEngine, ScriptedEngine, StreamedAnswer>? expects = null)
    {
        await using var primary = new ScriptedEngine(fault);
        await using var backup = new ScriptedEngine(SixtyWords.AnswerAsync, [Backup]);
        await using var world = await StartAsync(primary, backup, hasFallback, TimeSpan.FromMilliseconds(200));
        using var patience = new CancellationTokenSource(Patience);

        var answer = await StreamedAnswer.AskAsync(world, Ask, patience.Token);

        expects!(primary, backup, answer);
        await world.AtRestAsync();
        primary.Script = SixtyWords.AnswerAsync;
        await Until.HoldsAsync(() => world.Pool.ReplicaList[0].Health == ReplicaHealth.Up, "the primary may be asked again");
        AssertWhole(await StreamedAnswer.AskAsync(world, Ask, patience.Token), GatewayWorld.Model);
    }

    private static Task<GatewayWorld> StartAsync(ScriptedEngine primary, ScriptedEngine backup, bool hasFallback, TimeSpan backoff) =>
        GatewayWorld.BeforeAsync([primary], options => options with
        {
            Models =
            [
                options.Models[0] with { Fallbacks = hasFallback ? [Backup] : [] },
                new ModelOptions { Name = Backup, Replicas = [new ReplicaOptions { Url = backup.Uri }] },
            ],
            Resilience = options.Resilience with
            {
                FirstByteTimeout = TimeSpan.FromMilliseconds(500),
                StreamIdleTimeout = TimeSpan.FromMilliseconds(500),
                Backoff = backoff,
            },
        });
}
