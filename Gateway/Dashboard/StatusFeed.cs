using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Gateway.Replicas;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Gateway.Dashboard;

/// <summary>The live part of the status page: server-sent events, one a second, until the viewer leaves or the gateway stops. Thread-safe, bounded.</summary>
/// <param name="fleet">The replicas.</param>
/// <param name="board">What happened lately.</param>
/// <param name="facts">Read for each event.</param>
/// <param name="time">The clock.</param>
/// <param name="stopping">Ends every stream.</param>
public sealed class StatusFeed(Fleet fleet, StatusBoard board, Func<StatusFacts> facts, TimeProvider time, CancellationToken stopping)
{
    /// <summary>Viewers at the same time; one more is told to come later.</summary>
    public const int MaxViewers = 32;

    private const int MaxQueryLength = 256;

    /// <summary>Time from one event to the next.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private int _viewers;

    /// <summary>Serves one viewer. <c>?model=</c> and <c>?find=</c> narrow what is sent, <c>?seen=</c> leaves out decisions that it has.</summary>
    public async Task ServeAsync(HttpContext http)
    {
        var response = http.Response;
        if (Interlocked.Increment(ref _viewers) > MaxViewers)
        {
            Interlocked.Decrement(ref _viewers);
            response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            response.Headers.RetryAfter = "10";
            return;
        }
        board.Decisions.Watch(begins: true);
        try
        {
            response.ContentType = "text/event-stream";
            response.Headers.CacheControl = "no-store";
            // nginx would hold the events back.
            response.Headers["X-Accel-Buffering"] = "no";
            if (!HttpMethods.IsHead(http.Request.Method))
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
                await StreamAsync(response, ViewOf(http.Request), either.Token);
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or IOException)
        {
            // The viewer left, or the gateway stops: the stream's ordinary end.
        }
        finally
        {
            board.Decisions.Watch(begins: false);
            Interlocked.Decrement(ref _viewers);
        }
    }

    private async Task StreamAsync(HttpResponse response, StatusView view, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        var buffer = new ArrayBufferWriter<byte>(16 << 10);
        do
        {
            buffer.ResetWrittenCount();
            buffer.Write("data: "u8);
            using (var json = new Utf8JsonWriter(buffer))
            {
                view = view with { Seen = StatusJson.Write(json, fleet, facts(), board, view) };
            }
            buffer.Write("\n\n"u8);
            await response.Body.WriteAsync(buffer.WrittenMemory, cancellationToken);
            await response.Body.FlushAsync(cancellationToken);
        }
        while (await timer.WaitForNextTickAsync(cancellationToken));
    }

    private static StatusView ViewOf(HttpRequest request)
    {
        var (model, find) = (request.Query["model"].ToString(), request.Query["find"].ToString());
        _ = long.TryParse(request.Query["seen"], NumberStyles.None, CultureInfo.InvariantCulture, out var seen);
        return new StatusView(model.Length is > 0 and <= MaxQueryLength ? model : null, find.Length <= MaxQueryLength ? find : "", seen);
    }
}
