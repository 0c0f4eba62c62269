using System.Net.Http;
using Gateway.Forwarding.Answers;
using Gateway.Forwarding.Attempts;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Forwarding;

/// <summary>Keeps one streaming client's connection alive while its request waits for a turn and a first token. Used by one request.</summary>
/// <remarks>It commits to 200 to do so. YARP forwards only what has not begun, so from the turn on this carries the answer in its place.</remarks>
internal sealed class Heartbeat
{
    private readonly HttpContext _http;
    private readonly InferenceRequest _request;
    private readonly HeartbeatOptions _options;
    private readonly TimeProvider _time;
    private readonly long _arrivedAt;
    private readonly byte[] _beat;

    private Heartbeat(HttpContext http, InferenceRequest request, HeartbeatOptions options, long arrivedAt, TimeProvider time)
    {
        (_http, _request, _options, _arrivedAt, _time) = (http, request, options, arrivedAt, time);
        _beat = options.BeatOf(request.Route);
    }

    /// <summary>Whether 200 has been sent, so that what goes wrong can only end the stream.</summary>
    public bool HasCommitted { get; private set; }

    /// <summary>The heartbeat of a request; null: it gets none before its answer begins.</summary>
    public static Heartbeat? For(HttpContext http, InferenceRequest request, HeartbeatOptions options, long arrivedAt, TimeProvider time)
    {
        var isStream = request.Body.IsStreaming && request.Route.Kind is ApiKind.ChatCompletions or ApiKind.Completions or ApiKind.Responses or ApiKind.Messages;
        return isStream && options is { IsOn: true, CommitAfter.Ticks: > 0 } ? new Heartbeat(http, request, options, arrivedAt, time) : null;
    }

    /// <summary>Waits for something that takes its time, and lets the client know from time to time. Always waits to the end, also when the client left.</summary>
    public async ValueTask<T> WaitAsync<T>(ValueTask<T> pending)
    {
        if (pending.IsCompleted)
        {
            return await pending;
        }
        var task = pending.AsTask();
        var pause = HasCommitted ? _options.Interval : _options.CommitAfter - _time.GetElapsedTime(_arrivedAt);
        while (await IsPendingAfterAsync(task, pause > TimeSpan.Zero ? pause : TimeSpan.Zero) && await BeatAsync())
        {
            pause = _options.Interval;
        }
        return await task;
    }

    /// <summary>Runs the exchange and carries its answer to the client.</summary>
    public async Task<ForwarderError> ForwardAsync(Exchange exchange, HttpTransformer transformer)
    {
        using var carrier = new HttpRequestMessage();
        using var answer = await WaitAsync(new ValueTask<HttpResponseMessage>(exchange.SendAsync(carrier, _http.RequestAborted)));
        if (exchange.Failure is not null)
        {
            return ForwarderError.None;
        }
        if (HasCommitted && !exchange.IsEventStream)
        {
            // The heartbeat has begun a stream, and the answer is not one.
            return ForwarderError.ResponseHeaders;
        }
        try
        {
            if (HasCommitted)
            {
                exchange.Pass();
            }
            else
            {
                _http.Response.StatusCode = (int)answer.StatusCode;
                await transformer.TransformResponseAsync(_http, answer, _http.RequestAborted);
            }
            await IdleCopy.ToAsync(await answer.Content.ReadAsStreamAsync(_http.RequestAborted), _http.Response.Body, _http.RequestAborted);
            return ForwarderError.None;
        }
        catch (InvalidOperationException) when (!_http.Response.HasStarted)
        {
            // A header that HTTP does not allow: reported as YARP does. The headers set before it are removed, so that they do not end up on another answer.
            _http.Response.Clear();
            return ForwarderError.ResponseHeaders;
        }
        catch (IOException) when (exchange.Answer.IsBroken)
        {
            // As YARP does: the connection is aborted, so that a broken answer does not look complete.
            _http.Abort();
            return ForwarderError.ResponseBodyDestination;
        }
    }

    /// <summary>Ends the committed stream in the API's own way.</summary>
    public async Task EndAsync(WireError error) =>
        await _http.Response.Body.WriteAsync(ErrorBody.WriteStreamEnd(_request.Route, error, _request.Id), _http.RequestAborted);

    private async Task<bool> IsPendingAfterAsync(Task task, TimeSpan pause)
    {
        using var isOver = new CancellationTokenSource();
        var passed = Task.Delay(pause, _time, isOver.Token);
        var first = await Task.WhenAny(task, passed);
        await isOver.CancelAsync();
        return first == passed && !task.IsCompleted;
    }

    private async ValueTask<bool> BeatAsync()
    {
        try
        {
            Commit();
            await _http.Response.Body.WriteAsync(_beat, _http.RequestAborted);
            return true;
        }
        catch (Exception left) when (left is IOException or OperationCanceledException)
        {
            // The client left: what is waited for hears of it by itself.
            return false;
        }
    }

    private void Commit()
    {
        if (HasCommitted)
        {
            return;
        }
        HasCommitted = true;
        var response = _http.Response;
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        response.Headers["x-request-id"] = _request.Id;
    }
}
