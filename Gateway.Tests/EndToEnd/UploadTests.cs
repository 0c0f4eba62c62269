using System.Net.Http.Headers;
using System.Text;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Audio uploads: forms that are passed on while they come.</summary>
public sealed class UploadTests : IAsyncLifetime
{
    private const string Boundary = "----b0undary";
    private const int MaxBodyBytes = 4 << 20;

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("""{"text":"hello"}"""), ["whisper"]);
    private GatewayWorld _world = null!;

    public async Task InitializeAsync() => _world = await GatewayWorld.BeforeAsync([_engine], options =>
        GatewayWorld.WithModel(options, model => model with { UpstreamModel = "whisper", Aliases = ["whisper"] }) with
        {
            Listen = options.Listen with { MaxBodyBytes = MaxBodyBytes },
            Resilience = options.Resilience with { FailuresToOpen = 1 },
        });

    public async Task DisposeAsync()
    {
        await _world.AtRestAsync();
        await _world.DisposeAsync();
        await _engine.DisposeAsync();
    }

    [Theory]
    [InlineData("/v1/audio/transcriptions", true)]
    [InlineData("/v1/audio/transcriptions", false)]
    [InlineData("/v1/audio/translations", true)]
    [InlineData("/v1/audio/translations", false)]
    public async Task Form_InEitherOrder_ArrivesByteForByte(string path, bool isModelFirst)
    {
        var form = Form("whisper", 1_000_000, isModelFirst);

        using var response = await SendAsync(path, new MemoryStream(form));

        Assert.Equal("""{"text":"hello"}""", await response.Content.ReadAsStringAsync());
        Assert.Equal(path, _engine.Calls[^1].Target);
        Assert.Equal($"multipart/form-data; boundary={Boundary}", _engine.Calls[^1].Header("Content-Type").Single());
        Assert.True(form.AsSpan().SequenceEqual(_engine.Calls[^1].Body), "The form changed on its way.");
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task Alias_InTheForm_IsTheOnlyThingReplaced(bool isModelFirst, bool isChunked)
    {
        using var response = await SendAsync("/v1/audio/transcriptions", new MemoryStream(Form("demo", 300_000, isModelFirst)), isChunked);

        Assert.Equal(200, (int)response.StatusCode);
        Assert.True(Form("whisper", 300_000, isModelFirst).AsSpan().SequenceEqual(_engine.Calls[^1].Body), "More than the model's name changed.");
    }

    [Fact]
    public async Task Upload_WithTheModelFirst_ReachesTheEngineWhileItStillComes()
    {
        var halfSeen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var form = Form("whisper", 2_000_000, isModelFirst: true);
        _engine.Script = async call =>
        {
            while (call.Body.Length < form.Length / 2 && await call.ReadSomeAsync() > 0)
            {
            }
            halfSeen.SetResult();
            await call.JsonAsync("""{"text":"hello"}""");
        };

        using var response = await SendAsync("/v1/audio/transcriptions", new GatedStream(form, form.Length / 2 + 20_000, halfSeen.Task));

        Assert.Equal(200, (int)response.StatusCode);
        Assert.True(form.AsSpan().SequenceEqual(_engine.Calls[^1].Body), "The form changed on its way.");
    }

    [Fact]
    public async Task Upload_WhoseClientLeavesInTheMiddle_IsNoFaultOfTheReplicaAndHoldsNoRoom()
    {
        var halfSeen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var form = Form("whisper", 1_000_000, isModelFirst: true);
        _engine.Script = async call =>
        {
            while (call.Body.Length < form.Length / 2 && await call.ReadSomeAsync() > 0)
            {
            }
            halfSeen.SetResult();
            while (await call.ReadSomeAsync() > 0)
            {
            }
        };
        using var leaving = new CancellationTokenSource();

        var sending = SendAsync("/v1/audio/transcriptions", new GatedStream(form, form.Length - 20_000, Task.Delay(Timeout.Infinite, leaving.Token)), patience: leaving.Token);
        await halfSeen.Task.ComesAsync("the engine sees half of it");
        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        await _world.AtRestAsync();
        Assert.Equal(Gateway.Replicas.ReplicaHealth.Up, _world.Pool.ReplicaList[0].Health);
        Assert.Equal(0, _world.Pool.ReplicaList[0].Snapshot().RunningRequests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Upload_BeyondTheLimit_Is413AndNoFaultOfTheReplica(bool isChunked)
    {
        using var response = await SendAsync("/v1/audio/transcriptions", new MemoryStream(Form("whisper", MaxBodyBytes, isModelFirst: true)), isChunked);

        await ErrorAnswer.AssertAsync(response, 413, "request_too_large");
        Assert.Equal(Gateway.Replicas.ReplicaHealth.Up, _world.Pool.ReplicaList[0].Health);
    }

    [Fact]
    public async Task Form_WithASecondModelBehindTheFile_IsRefusedAndNoFaultOfTheReplica()
    {
        byte[] second = Encoding.UTF8.GetBytes($"--{Boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nanother\r\n--{Boundary}--\r\n");
        var whole = Form("whisper", 300_000, isModelFirst: true);

        using var response = await SendAsync("/v1/audio/transcriptions", new MemoryStream([.. whole[..^$"--{Boundary}--\r\n".Length], .. second]));

        Assert.Contains("twice", await ErrorAnswer.AssertAsync(response, 400, "invalid_value"), StringComparison.Ordinal);
        Assert.Equal(Gateway.Replicas.ReplicaHealth.Up, _world.Pool.ReplicaList[0].Health);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Form_WithoutItsLastBoundary_IsRefusedAndNoFaultOfTheReplica(bool isChunked)
    {
        var whole = Form("whisper", 300_000, isModelFirst: true);

        using var response = await SendAsync("/v1/audio/transcriptions", new MemoryStream(whole[..^20]), isChunked);

        Assert.Contains("closing boundary", await ErrorAnswer.AssertAsync(response, 400, "invalid_multipart"), StringComparison.Ordinal);
        Assert.Equal(Gateway.Replicas.ReplicaHealth.Up, _world.Pool.ReplicaList[0].Health);
    }

    [Fact]
    public async Task Upload_ThatNeverReachedAReplica_IsSentToAnother()
    {
        await using var other = new ScriptedEngine(call => call.JsonAsync("""{"text":"hello"}"""), ["demo"]);
        await using var gone = new ScriptedEngine(call => call.JsonAsync("""{"text":"hello"}"""), ["demo"]);
        await using var world = await GatewayWorld.BeforeAsync(
            [gone, other], options => options with { Resilience = options.Resilience with { FailuresToOpen = 1_000, Health = options.Resilience.Health with { Failures = 1_000 } } });
        gone.Close();
        var form = Form("demo", 300_000, isModelFirst: true);

        for (var i = 0; i < 6; i++)
        {
            using var response = await SendAsync("/v1/audio/transcriptions", new MemoryStream(form), world: world);

            Assert.Equal(200, (int)response.StatusCode);
            Assert.True(form.AsSpan().SequenceEqual(other.Calls[^1].Body), "The form changed on its way.");
        }
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Form_WithoutModelOrBoundary_IsRefused()
    {
        using var noModel = await SendAsync("/v1/audio/transcriptions", new MemoryStream(Encoding.UTF8.GetBytes(
            $"--{Boundary}\r\nContent-Disposition: form-data; name=\"language\"\r\n\r\nde\r\n--{Boundary}--\r\n")));
        using var noForm = await _world.PostAsync("/v1/audio/transcriptions", """{"model":"whisper"}""");

        await ErrorAnswer.AssertAsync(noModel, 400, "missing_required_parameter");
        Assert.Contains("multipart/form-data", await ErrorAnswer.AssertAsync(noForm, 415, "unsupported_media_type"), StringComparison.Ordinal);
        Assert.Empty(_engine.Calls);
    }

    [Fact]
    public async Task PlainText_AsTheEnginesAnswer_Passes()
    {
        _engine.Script = call => call.AnswerAsync("text/plain; charset=utf-8", "1\n00:00 --> 00:01\nhéllo\n");

        using var response = await SendAsync("/v1/audio/transcriptions", new MemoryStream(Form("whisper", 100, isModelFirst: true)));

        Assert.Equal("text/plain; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("1\n00:00 --> 00:01\nhéllo\n", await response.Content.ReadAsStringAsync());
    }

    private async Task<HttpResponseMessage> SendAsync(string path, Stream form, bool isChunked = false, GatewayWorld? world = null, CancellationToken patience = default)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(patience);
        ends.CancelAfter(TimeSpan.FromSeconds(20));
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StreamContent(form) };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse($"multipart/form-data; boundary={Boundary}");
        request.Headers.TransferEncodingChunked = isChunked;
        return await (world ?? _world).Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ends.Token);
    }

    private static byte[] Form(string model, int fileBytes, bool isModelFirst)
    {
        var file = new byte[fileBytes];
        new Random(3).NextBytes(file);
        byte[] modelPart = Encoding.UTF8.GetBytes($"--{Boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n");
        byte[] filePart = [.. Encoding.UTF8.GetBytes($"--{Boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n"), .. file, .. "\r\n"u8];
        return [.. isModelFirst ? modelPart : filePart, .. isModelFirst ? filePart : modelPart, .. Encoding.UTF8.GetBytes($"--{Boundary}--\r\n")];
    }

    /// <summary>Gives its second part only after a signal.</summary>
    private sealed class GatedStream(byte[] bytes, int gate, Task opened) : MemoryStream(bytes, writable: false)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Position == gate)
            {
                await opened.WaitAsync(cancellationToken);
            }
            var most = Position < gate ? (int)Math.Min(gate - Position, buffer.Length) : buffer.Length;
            return await base.ReadAsync(buffer[..most], cancellationToken);
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
        {
            var buffer = new byte[bufferSize];
            while (await ReadAsync(buffer.AsMemory(), cancellationToken) is var read and > 0)
            {
                await destination.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                await destination.FlushAsync(cancellationToken);
            }
        }
    }
}
