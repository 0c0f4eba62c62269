using Gateway.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Gateway;

/// <summary>How a gateway ends: not ready any more, then no more requests, then running answers up to a limit. Thread-safe.</summary>
internal sealed partial class ServerStop : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly GatewayCore _core;
    private readonly ListenOptions _listen;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _drainIsOver = new();
    private readonly ITimer _drain;
    private bool _isAskedFor;
    private int _cutAnswers;

    /// <param name="app">What is stopped.</param>
    /// <param name="core">Whose answers run and whose requests wait.</param>
    /// <param name="listen">How long each step may take.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Hears of each step.</param>
    public ServerStop(WebApplication app, GatewayCore core, ListenOptions listen, TimeProvider time, ILogger log)
    {
        (_app, _core, _listen, _time, _log) = (app, core, listen, time, log);
        _drain = time.CreateTimer(_ => EndDrain(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        app.Lifetime.ApplicationStopping.Register(BeginDrain);
        app.Lifetime.ApplicationStopped.Register(NoteStopped);
    }

    /// <summary>Whether it was asked for.</summary>
    public bool HasBegun => Volatile.Read(ref _isAskedFor) || _app.Lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>Cancelled when running answers are waited for no longer.</summary>
    public CancellationToken DrainIsOver => _drainIsOver.Token;

    private int RunningAnswers => _core.Fleet.Pools.Sum(pool => pool.ReplicaList.Sum(replica => replica.Own.Requests));

    /// <summary>Is no longer ready; after the configured delay takes no more requests, and lets running answers finish within the configured time.</summary>
    /// <param name="hurry">Ends the delay.</param>
    public async Task StopAsync(CancellationToken hurry)
    {
        Volatile.Write(ref _isAskedFor, true);
        if (_listen.StopDelay > TimeSpan.Zero)
        {
            Log.Leaving(_log, _listen.StopDelay.TotalSeconds);
            await Task.Delay(_listen.StopDelay, _time, hurry).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await _app.StopAsync(CancellationToken.None);
    }

    /// <summary>Ends a server's parts one after the other. One that fails is logged, and keeps none of the others from its end.</summary>
    /// <param name="parts">In this order; those that are null were never made.</param>
    /// <param name="log">Hears of those that fail.</param>
    public static async ValueTask EndAsync(IEnumerable<object?> parts, ILogger log)
    {
        foreach (var part in parts)
        {
            try
            {
                if (part is IAsyncDisposable waiting)
                {
                    await waiting.DisposeAsync();
                }
                else
                {
                    (part as IDisposable)?.Dispose();
                }
            }
            catch (Exception failed)
            {
                // Whatever it is: a log that is not flushed must not cost what was learned.
                Log.PartFailed(log, part!.GetType().Name, failed);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        // Waits for what it may be doing just now.
        await _drain.DisposeAsync();
        _drainIsOver.Dispose();
    }

    private void BeginDrain()
    {
        var running = RunningAnswers;
        Log.Stopping(_log, running, _listen.DrainTimeout.TotalSeconds);
        _drain.Change(_listen.DrainTimeout, Timeout.InfiniteTimeSpan);
    }

    // Running answers end with an error event of their API instead of a cut connection, and waiting requests get an error.
    private void EndDrain()
    {
        Volatile.Write(ref _cutAnswers, RunningAnswers);
        _drainIsOver.Cancel();
        _core.Dispose();
    }

    private void NoteStopped()
    {
        var cut = Volatile.Read(ref _cutAnswers);
        Log.Stopped(_log, cut);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Stop asked for: not ready any more, requests are taken for {Seconds:0.#} s. A second signal ends that.")]
        public static partial void Leaving(ILogger logger, double seconds);

        [LoggerMessage(Level = LogLevel.Information, Message = "Stop asked for: running answers ({Answers}) have up to {Seconds:0.#} s.")]
        public static partial void Stopping(ILogger logger, int answers, double seconds);

        [LoggerMessage(Level = LogLevel.Information, Message = "Stopped; answers cut: {Answers}.")]
        public static partial void Stopped(ILogger logger, int answers);

        [LoggerMessage(Level = LogLevel.Error, Message = "The end of {Part} failed; the others end all the same.")]
        public static partial void PartFailed(ILogger logger, string part, Exception failed);
    }
}
