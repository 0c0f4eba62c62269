using System.Text;
using Gateway.Api;
using Gateway.Configuration;
using Gateway.Forwarding;
using Gateway.Learning;
using Gateway.Replicas;
using Gateway.Replicas.Engines.Discovery;
using Gateway.Requests;
using Gateway.Tests.Telemetry;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Tests;

/// <summary>What must hold on the path itself when a part of it fails as none should.</summary>
public sealed class GatewayPathTests
{
    private readonly List<CompletedRequest> _completed = [];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Invoke_WhenAPartFails_ReturnsTheRoomAndCountsAFailure(bool beforeForwarding)
    {
        var options = new GatewayOptions { Models = [new ModelOptions { Name = "m", Replicas = [new ReplicaOptions { Url = new("http://10.0.0.1:1") }] }] };
        using var core = GatewayCore.Create(options, TimeProvider.System, new Random(1), 7);
        var pool = core.Find("m")!.Pool;
        pool.SetReplicas(ReplicaPlaces.Of(pool.Options));
        pool.Replicas[0].OnProbed(ReplicaHealth.Up);
        using var upstreams = new UpstreamPools(new HttpClientHandler(), () => options.Resilience, _ => null, new UpstreamEvents(), TimeProvider.System);
        var path = new GatewayPath(
            core, new Gateway.Access.Doorkeeper(new Gateway.Access.Limits.LimitLedger(TimeProvider.System), core.Hasher), new RequestReader(options.Listen, () => options.Routing.Prefix, core.Hasher, TimeProvider.System), upstreams, new BrokenForwarder(), () => options, [new Recorder(_completed)],
            (_, _) => _ = beforeForwarding ? throw new InvalidOperationException("broken") : 0, TimeProvider.System);
        var http = new DefaultHttpContext();
        http.Request.Method = "POST";
        http.Request.ContentType = "application/json";
        http.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes("""{"model":"m","messages":[{"role":"user","content":"x"}]}"""));

        await Assert.ThrowsAsync<InvalidOperationException>(() => path.InvokeAsync(http, ApiRoute.ChatCompletions));

        Assert.Equal(0, pool.Replicas[0].Snapshot().RunningRequests);
        Assert.Equal(500, http.Response.StatusCode);
        var completed = Assert.Single(_completed);
        Assert.Equal((RequestOutcome.Failed, 500, "internal_error"), (completed.Outcome, completed.StatusCode, completed.ErrorCode));
    }

    [Fact]
    public async Task Invoke_WithABodyThatComesSlowly_CountsNoneOfItAsOverhead()
    {
        var time = new SetTime();
        var options = new GatewayOptions { Models = [new ModelOptions { Name = "m", Replicas = [new ReplicaOptions { Url = new("http://10.0.0.1:1") }] }] };
        using var core = GatewayCore.Create(options, time, new Random(1), 7);
        using var upstreams = new UpstreamPools(new HttpClientHandler(), () => options.Resilience, _ => null, new UpstreamEvents(), time);
        var path = new GatewayPath(
            core, new Gateway.Access.Doorkeeper(new Gateway.Access.Limits.LimitLedger(TimeProvider.System), core.Hasher), new RequestReader(options.Listen, () => options.Routing.Prefix, core.Hasher, time), upstreams, new BrokenForwarder(), () => options,
            [new Recorder(_completed)], (_, _) => time.Advance(TimeSpan.FromMilliseconds(3)), time);
        var http = new DefaultHttpContext();
        http.Request.Method = "POST";
        http.Request.ContentType = "application/json";
        http.Request.Body = new SlowUpload(Encoding.UTF8.GetBytes("""{"model":"m","messages":[{"role":"user","content":"x"}]}"""), () => time.Advance(TimeSpan.FromSeconds(5)));

        await path.InvokeAsync(http, ApiRoute.ChatCompletions);

        var completed = Assert.Single(_completed);
        Assert.True(completed.Duration > TimeSpan.FromSeconds(5));
        Assert.Equal(TimeSpan.FromMilliseconds(3), completed.Overhead);
    }

    private sealed class SlowUpload(byte[] body, Action pass) : MemoryStream(body)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            pass();
            return base.ReadAsync(buffer, cancellationToken);
        }
    }

    private sealed class Recorder(List<CompletedRequest> completed) : ICompletionObserver
    {
        public void OnCompleted(CompletedRequest request) => completed.Add(request);
    }

    private sealed class BrokenForwarder : IHttpForwarder
    {
        public ValueTask<ForwarderError> SendAsync(
            HttpContext context, string destinationPrefix, HttpMessageInvoker httpClient, ForwarderRequestConfig requestConfig, HttpTransformer transformer) =>
            throw new InvalidOperationException("broken");
    }
}
