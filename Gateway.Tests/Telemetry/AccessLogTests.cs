using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Gateway.Learning;
using Gateway.Requests;
using Gateway.Telemetry;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Tests.Telemetry;

public sealed class AccessLogTests
{
    [Fact]
    public async Task OnCompleted_AnAnswer_WritesTheGoldenLine()
    {
        var lines = await WriteAsync(TelemetryWorld.Completed(asked: "small"));

        Assert.Equal(
            """
            {"time":"2026-01-02T03:04:05.678Z","id":"req-1","model":"llama","alias":"small","route":"/v1/chat/completions","replica":"a",
            "outcome":"success","status":200,"queue_ms":40,"held_for":"room","placed_by":"prefix","overhead_ms":0.3,"ttft_ms":200,"stream_ms":1250,"duration_ms":1500,
            "prompt_tokens":410,"cached_tokens":256,"output_tokens":40,"estimated_prompt_tokens":400,"estimated_output_tokens":64,
            "estimated_output_tokens_q90":64,"sequences":1,"prefix_hit_tokens":256,"censored":false,"retries":1,"stream":true,
            "priority":"interactive","body_bytes":2048,"prompt_bytes":1600,"max_output_tokens":64,"session":"0000000000abcdef",
            "prefix_block_bytes":256,"prefix_blocks":3,"prefix":["0000000000000001","ffffffffffffffff","0000000000000010"]}
            """.Replace("\n", "", StringComparison.Ordinal), Assert.Single(lines));
    }

    [Fact]
    public async Task OnCompleted_ARequestNobodyUnderstood_WritesWhatIsKnown()
    {
        var lines = await WriteAsync(new CompletedRequest
        {
            Route = ApiRoute.Embeddings,
            RequestId = "req-9",
            Outcome = RequestOutcome.ClientError,
            ErrorCode = "invalid_json",
            StatusCode = 400,
        });

        Assert.Equal(
            """
            {"time":"0001-01-01T00:00:00.000Z","id":"req-9","route":"/v1/embeddings","outcome":"client_error","code":"invalid_json","status":400,
            "queue_ms":0,"overhead_ms":0,"duration_ms":0,"output_tokens":0,"prefix_hit_tokens":0,"censored":false,"retries":0}
            """.Replace("\n", "", StringComparison.Ordinal), Assert.Single(lines));
    }

    [Fact]
    public async Task OnCompleted_WithAShare_KeepsWholeConversationsAndEverythingThatFailed()
    {
        const int sessions = 2_000;
        using var target = new MemoryStream();
        var log = new AccessLog(target, TimeProvider.System, NullLogger.Instance, () => 0.25);
        var answer = TelemetryWorld.Completed();
        for (var session = 1; session <= sessions; session++)
        {
            var request = answer.Request! with { SessionKey = (ulong)session };
            log.OnCompleted(answer with { Request = request, RequestId = "first" });
            log.OnCompleted(answer with { Request = request, RequestId = "second" });
        }
        log.OnCompleted(answer with { Outcome = RequestOutcome.Failed, StatusCode = 502, RequestId = "failed" });
        log.OnCompleted(answer with { Outcome = RequestOutcome.Canceled, StatusCode = 499, RequestId = "left" });

        await log.DisposeAsync();

        var rows = LinesOf(target).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        var kept = rows.Where(row => row.GetProperty("outcome").GetString() == "success").ToList();
        Assert.All(kept, row => Assert.Equal(0.25, row.GetProperty("sample").GetDouble()));
        Assert.InRange(kept.Count, 2 * sessions / 5, 2 * sessions * 3 / 10);
        Assert.All(kept.GroupBy(row => row.GetProperty("session").GetString()), session => Assert.Equal(2, session.Count()));
        var others = rows.Where(row => row.GetProperty("outcome").GetString() != "success").ToList();
        Assert.Equal(["failed", "left"], others.Select(row => row.GetProperty("id").GetString()));
        Assert.All(others, row => Assert.False(row.TryGetProperty("sample", out _)));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 500)]
    public async Task OnCompleted_WithNoneOrAll_WritesSo(double share, int lines)
    {
        using var target = new MemoryStream();
        var log = new AccessLog(target, TimeProvider.System, NullLogger.Instance, () => share);
        var answer = TelemetryWorld.Completed();
        for (var i = 0; i < 500; i++)
        {
            log.OnCompleted(answer with { Request = answer.Request! with { SessionKey = 0 }, RequestId = $"request-{i}" });
        }

        await log.DisposeAsync();

        Assert.Equal(lines, Encoding.UTF8.GetString(target.ToArray()).Count(letter => letter == '\n'));
    }

    [Fact]
    public async Task OnCompleted_AModelNobodyServes_DoesNotWriteItsName()
    {
        var lines = await WriteAsync(TelemetryWorld.Completed(model: null, asked: "planted-word"));

        Assert.DoesNotContain("planted-word", Assert.Single(lines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("queue_full", "queue_full")]
    [InlineData("planted word", "other")]
    public async Task OnCompleted_ACode_IsWrittenOnlyWhereItLooksLikeOne(string code, string written)
    {
        var lines = await WriteAsync(TelemetryWorld.Completed() with { Outcome = RequestOutcome.Failed, ErrorCode = code });

        using var line = JsonDocument.Parse(Assert.Single(lines));
        Assert.Equal(written, line.RootElement.GetProperty("code").GetString());
    }

    [Fact]
    public async Task OnCompleted_ALongPrompt_WritesTheFirstHashesAndTheirNumber()
    {
        var completed = TelemetryWorld.Completed();
        var blocks = Enumerable.Range(1, 1_000).Select(block => (ulong)block).ToArray();

        var lines = await WriteAsync(completed with { Request = completed.Request! with { Prefix = new PrefixFingerprint(blocks, 256) } });

        using var line = JsonDocument.Parse(Assert.Single(lines));
        Assert.Equal(1_000, line.RootElement.GetProperty("prefix_blocks").GetInt32());
        Assert.Equal(64, line.RootElement.GetProperty("prefix").GetArrayLength());
        Assert.Equal("0000000000000040", line.RootElement.GetProperty("prefix")[63].GetString());
    }

    [Fact]
    public async Task OnCompleted_InsideATrace_WritesItsId()
    {
        const string trace = "0af7651916cd43dd8448eb211c80319c";

        var lines = await WriteAsync(TelemetryWorld.Completed() with { TraceId = ActivityTraceId.CreateFromString(trace) });

        using var line = JsonDocument.Parse(Assert.Single(lines));
        Assert.Equal(trace, line.RootElement.GetProperty("trace").GetString());
    }

    [Fact]
    public async Task OnCompleted_EveryOutcome_HasItsWord()
    {
        var outcomes = Enum.GetValues<RequestOutcome>();

        var lines = await WriteAsync([.. outcomes.Select(outcome => TelemetryWorld.Completed() with { Outcome = outcome })]);

        var words = lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("outcome").GetString());
        Assert.Equal(["success", "client_error", "refused", "failed", "canceled"], words);
    }

    [Fact]
    public async Task OnCompleted_ATargetThatStalls_DropsTheOldestAndCounts()
    {
        const int requests = 20_000;
        using var target = new StallingStream();
        var log = new AccessLog(target, TimeProvider.System, NullLogger.Instance);
        log.OnCompleted(TelemetryWorld.Completed("first"));
        await target.Stalled;

        for (var i = 0; i < requests; i++)
        {
            log.OnCompleted(TelemetryWorld.Completed($"req-{i}"));
        }
        var dropped = log.DroppedLines;
        target.Release();
        await log.DisposeAsync();

        var lines = target.Lines();
        Assert.InRange(dropped, 1, requests - 1);
        Assert.Equal(requests + 1 - dropped, lines.Length);
        Assert.Contains("\"req-19999\"", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnCompleted_ATargetThatFails_GoesOnWhenItWorksAgain()
    {
        using var target = new StallingStream { FailsOnce = true };
        var log = new AccessLog(target, TimeProvider.System, NullLogger.Instance);
        log.OnCompleted(TelemetryWorld.Completed("lost"));
        await target.Stalled;
        target.Release();
        log.OnCompleted(TelemetryWorld.Completed("kept"));

        await log.DisposeAsync();

        Assert.Equal(1, log.DroppedLines);
        Assert.Contains("\"kept\"", Assert.Single(target.Lines()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnCompleted_AfterTheLogIsClosed_CountsTheLoss()
    {
        var log = new AccessLog(new MemoryStream(), TimeProvider.System, NullLogger.Instance);
        await log.DisposeAsync();

        log.OnCompleted(TelemetryWorld.Completed());

        Assert.Equal(1, log.DroppedLines);
    }

    private static async Task<IReadOnlyList<string>> WriteAsync(params CompletedRequest[] requests)
    {
        using var target = new MemoryStream();
        var log = new AccessLog(target, TimeProvider.System, NullLogger.Instance);
        foreach (var request in requests)
        {
            log.OnCompleted(request);
        }
        await log.DisposeAsync();
        return LinesOf(target);
    }

    private static string[] LinesOf(MemoryStream target)
    {
        var text = Encoding.UTF8.GetString(target.ToArray());
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        return text[..^1].Split('\n');
    }

    /// <summary>Stops at its first write until it is released.</summary>
    private sealed class StallingStream : MemoryStream
    {
        private readonly TaskCompletionSource _stalled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool FailsOnce { get; set; }

        public Task Stalled => _stalled.Task;

        public void Release() => _released.TrySetResult();

        public string[] Lines() => LinesOf(this);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _stalled.TrySetResult();
            await _released.Task;
            if (FailsOnce)
            {
                FailsOnce = false;
                throw new IOException("full");
            }
            await base.WriteAsync(buffer, cancellationToken);
        }
    }
}
