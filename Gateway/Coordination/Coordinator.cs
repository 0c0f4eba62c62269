using Gateway.Estimation;
using Gateway.Routing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Gateway.Coordination;

/// <summary>The one loop by which a gateway tells the others what it has in flight and where, and hears the same of them. No request waits for it.</summary>
public sealed partial class Coordinator : IAsyncDisposable
{
    /// <summary>How often loads are exchanged for each exchange of everything. More often, because room that two gateways both see as free is given out twice.</summary>
    public const int LoadsPerExchange = 5;

    private const string LoadBoard = "load";
    private const int MostReason = 200;

    private readonly ISharedState _shared;
    private readonly RedisOptions _options;
    private readonly Func<IReadOnlyList<SharedPool>> _pools;
    private readonly Func<IOutputLengthEstimator> _lengths;
    private readonly SharedLimitLedger? _limits;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly News _news;
    private readonly Action<LengthLesson> _learned;
    private readonly Dictionary<PrefixIndex, Action<int, PrefixUse>> _recorded = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;
    private string? _lastNews;
    private long _loadsHeardAt;
    private long _limitsHeardAt;
    private volatile State _state;
    private long _failures;
    private int _rounds;

    /// <param name="shared">This gateway's access.</param>
    /// <param name="options">Intervals and bounds.</param>
    /// <param name="pools">What is shared; asked at each exchange.</param>
    /// <param name="lengths">The estimator in force; asked at each exchange.</param>
    /// <param name="limits">Shared limits; null: none.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Hears once of each change; null: nobody does.</param>
    public Coordinator(
        ISharedState shared, RedisOptions options, Func<IReadOnlyList<SharedPool>> pools, Func<IOutputLengthEstimator> lengths, SharedLimitLedger? limits,
        TimeProvider time, ILogger? log = null)
    {
        (_shared, _options, _pools, _lengths, _limits, _time, _log) = (shared, options, pools, lengths, limits, time, log ?? NullLogger.Instance);
        _news = new News(options.HintBlocks);
        _learned = _news.Note;
        _loadsHeardAt = _limitsHeardAt = time.GetTimestamp();
        Listen(pools());
    }

    /// <summary>Whether the last exchange came to an end.</summary>
    public bool IsUp => _state == State.Up;

    /// <summary>Exchanges, and checks of limits, that came to nothing since the start.</summary>
    public long Failures => Interlocked.Read(ref _failures) + (_limits?.Failures ?? 0);

    /// <summary>Begins the loop.</summary>
    public void Start() => _loop = ExchangeFromTimeToTimeAsync();

    /// <summary>What is due after an interval's next fifth: loads, and every fifth time everything.</summary>
    public Task ExchangeNextAsync(CancellationToken cancellationToken) =>
        _rounds++ % LoadsPerExchange == 0 ? ExchangeAsync(cancellationToken) : TryAsync(pools => ShareLoadsAsync(pools, cancellationToken), isWhole: false, cancellationToken);

    /// <summary>One exchange of everything. What fails is counted, and changes nothing but that peers who were not heard of for a lease are forgotten.</summary>
    public Task ExchangeAsync(CancellationToken cancellationToken) => TryAsync(
        pools => Task.WhenAll(ShareLoadsAsync(pools, cancellationToken), ShareNewsAsync(pools, cancellationToken), ShareLimitsAsync(cancellationToken)),
        isWhole: true, cancellationToken);

    private async Task ShareLoadsAsync(IReadOnlyList<SharedPool> pools, CancellationToken cancellationToken)
    {
        LoadEntry.Apply(await _shared.PostAsync(LoadBoard, LoadEntry.Write(pools), _options.Lease, cancellationToken), pools);
        _loadsHeardAt = _time.GetTimestamp();
    }

    private async Task ShareLimitsAsync(CancellationToken cancellationToken)
    {
        if (_limits is not null && await _limits.ExchangeAsync(cancellationToken))
        {
            _limitsHeardAt = _time.GetTimestamp();
        }
    }

    private async Task ShareNewsAsync(IReadOnlyList<SharedPool> pools, CancellationToken cancellationToken)
    {
        var page = await _shared.TellAsync(_news.Take(), _lastNews, cancellationToken);
        foreach (var batch in page.Batches)
        {
            News.Apply(batch, pools, _lengths() as ISharedLengths);
        }
        _lastNews = page.Last;
    }

    private async Task TryAsync(Func<IReadOnlyList<SharedPool>, Task> share, bool isWhole, CancellationToken cancellationToken)
    {
        var pools = _pools();
        try
        {
            Listen(pools);
            await share(pools);
            // Only an exchange of everything counts as recovery: loads alone may work while the rest still fails.
            if (isWhole)
            {
                _limitsHeardAt = _time.GetTimestamp();
                Note(State.Up);
            }
        }
        catch (Exception failed) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever Redis or the network threw: the gateway goes on with its own view.
            Interlocked.Increment(ref _failures);
            // The server's own message (out of memory, no permission) says what to mend, so it is logged; of other failures only the type is.
            Note(State.Down, failed is RedisServerException { Message: var said } ? said[..Math.Min(said.Length, MostReason)] : failed.GetType().Name);
            // Each by itself: in a cluster, one kind may be out of reach while the others are heard of.
            if (_time.GetElapsedTime(_loadsHeardAt) >= _options.Lease)
            {
                LoadEntry.Apply([], pools);
            }
            if (_time.GetElapsedTime(_limitsHeardAt) >= _options.Lease)
            {
                _limits?.Forget();
            }
        }
    }

    /// <summary>Ends the loop, and tells the others that this gateway has nothing in flight any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
        _news.Dispose();
        if (!IsUp)
        {
            return;
        }
        try
        {
            using var patience = new CancellationTokenSource(_options.Timeout, _time);
            await (_limits?.ExchangeAsync(patience.Token) ?? Task.CompletedTask);
            await _shared.PostAsync(LoadBoard, [], _options.Lease, patience.Token);
        }
        catch (Exception)
        {
            // Nobody is left to mind: the lease runs out.
        }
    }

    private async Task ExchangeFromTimeToTimeAsync()
    {
        using var timer = new PeriodicTimer(_options.Interval / LoadsPerExchange, _time);
        try
        {
            do
            {
                await ExchangeNextAsync(_stop.Token);
            }
            while (await timer.WaitForNextTickAsync(_stop.Token));
        }
        catch (Exception) when (_stop.IsCancellationRequested)
        {
            // The gateway stops: how the last exchange ends does not matter.
        }
        catch (Exception failed)
        {
            Log.Ended(_log, failed);
        }
    }

    // Called before each exchange, since a reload may bring new pools or another estimator.
    private void Listen(IReadOnlyList<SharedPool> pools)
    {
        foreach (var gone in _recorded.Keys.Except(pools.Select(pool => pool.Prefixes)).ToArray())
        {
            _recorded.Remove(gone);
        }
        foreach (var pool in pools)
        {
            if (!_recorded.ContainsKey(pool.Prefixes))
            {
                pool.Prefixes.Recorded = _recorded[pool.Prefixes] = (slot, use) =>
                {
                    if (pool.Pool.At(slot) is { } replica)
                    {
                        _news.Note(pool.Pool.Name, replica.Id, use);
                    }
                };
                pool.Prefixes.ToolCalled = (session, tool) => _news.Note(pool.Pool.Name, session, tool);
            }
        }
        if (_lengths() is ISharedLengths { Learned: null } lengths)
        {
            lengths.Learned = _learned;
        }
    }

    private void Note(State state, string reason = "")
    {
        var before = _state;
        _state = state;
        switch (before, state)
        {
            case (State.Unknown, State.Up):
                Log.Connected(_log);
                break;
            case (State.Down, State.Up):
                Log.Back(_log);
                break;
            case (not State.Down, State.Down):
                Log.Lost(_log, reason);
                break;
        }
    }

    private enum State
    {
        Unknown,
        Up,
        Down,
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Redis answers: this gateway shares loads, prefixes, lengths and limits with the others.")]
        public static partial void Connected(ILogger logger);

        [LoggerMessage(Level = LogLevel.Information, Message = "Redis answers again: what is shared converges.")]
        public static partial void Back(ILogger logger);

        [LoggerMessage(Level = LogLevel.Error, Message = "The exchange with other gateways ended unexpectedly; this gateway goes on with its own view until it is restarted.")]
        public static partial void Ended(ILogger logger, Exception failed);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Redis does not answer, or refuses ({Reason}); this gateway goes on with its own view, and tries again.")]
        public static partial void Lost(ILogger logger, string reason);
    }
}
