using Gateway.Forwarding;
using Gateway.Replicas.Engines.Adapters;
using Microsoft.Extensions.Logging;

namespace Gateway.Replicas.Engines;

/// <summary>Watches one replica: probes its health, checks its model, reads its load, and tells the replica.</summary>
public sealed partial class ReplicaWatcher : IAsyncDisposable
{
    /// <summary>How long an engine with running requests may make no step while its health call answers.</summary>
    public static readonly TimeSpan StallLimit = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan LoadTimeout = TimeSpan.FromSeconds(1);

    // Models and sizes change only when an engine restarts or an adapter is loaded into it.
    private const int ProbesPerDescription = 5;
    private const double Jitter = 0.1;

    private readonly Replica _replica;
    private readonly EngineAccess _access;
    private readonly Func<Replica, bool> _isMakingProgress;
    private readonly Random _chance;
    private readonly ILogger _log;
    private readonly EngineView _view;
    private readonly ProbeVerdict _verdict;
    private readonly CancellationTokenSource _stopping = new();
    private Settings _settings;
    private IEngineAdapter? _adapter;
    private string _loadComplaint = "";
    private int _probesSinceDescription;
    private long? _progressAtProbe;
    private int _isReadingLoad;
    private Task _watch = Task.CompletedTask;

    private sealed record Settings(ModelOptions Model, HealthOptions Health, TimeSpan ScrapeInterval, string[] ModelNames);

    /// <param name="replica">Who is told.</param>
    /// <param name="model">The replica's model.</param>
    /// <param name="options">Intervals and limits.</param>
    /// <param name="access">How the engine is reached.</param>
    /// <param name="isMakingProgress">Whether answers of the gateway's own are growing at the replica now.</param>
    /// <param name="chance">Spreads probes over time; used by this watcher only.</param>
    /// <param name="log">Told once per change.</param>
    public ReplicaWatcher(
        Replica replica, ModelOptions model, ResilienceOptions options, EngineAccess access,
        Func<Replica, bool> isMakingProgress, Random chance, ILogger log)
    {
        _replica = replica;
        _access = access;
        _isMakingProgress = isMakingProgress;
        _chance = chance;
        _log = log;
        _view = new EngineView(access.Time);
        _verdict = new ProbeVerdict(replica, log);
        _settings = SettingsOf(model, options);
        _replica.Suspended += OnSuspended;
        _replica.Spared += OnSpared;
        _replica.Restarted += OnRestarted;
    }

    /// <summary>Starts watching. Called once.</summary>
    public void Start() => _watch = Task.Run(() => Task.WhenAll(
        RepeatAsync(ProbeAsync, () => _settings.Health.Interval * (1 + (Jitter * ((_chance.NextDouble() * 2) - 1)))),
        RepeatAsync(ReadLoadAsync, () => _settings.ScrapeInterval)));

    /// <summary>Ends the watch at once, an open question included.</summary>
    public async ValueTask DisposeAsync()
    {
        _replica.Suspended -= OnSuspended;
        _replica.Spared -= OnSpared;
        _replica.Restarted -= OnRestarted;
        await _stopping.CancelAsync();
        await _watch;
        _stopping.Dispose();
    }

    /// <summary>Takes over changed settings, from the next probe on.</summary>
    public void Reconfigure(ModelOptions model, ResilienceOptions options) => Volatile.Write(ref _settings, SettingsOf(model, options));

    /// <summary>One probe, and the verdict told to the replica.</summary>
    internal async Task ProbeAsync(CancellationToken cancellationToken)
    {
        var settings = Volatile.Read(ref _settings);
        var client = _access.ClientOf(_replica.Address, settings.Model, settings.Health.Timeout);
        var progressBefore = _progressAtProbe;
        _progressAtProbe = _replica.Report.Progress;

        var adapter = await FindAdapterAsync(client, settings, cancellationToken);
        if (adapter is null)
        {
            return;
        }
        var health = await AskHealthAsync(client, adapter, cancellationToken);
        if (health.Outcome == ReadingOutcome.Slow && IsMoving(progressBefore))
        {
            // A busy engine may be slow to answer a probe.
            _verdict.TakeLife();
            return;
        }
        if (health.Outcome != ReadingOutcome.Read)
        {
            _verdict.TakeFailure(health, settings.Model, settings.Health.Failures);
            return;
        }
        if (adapter.Traits.BeatsEveryStep && _view.Standstill >= StallLimit && !_isMakingProgress(_replica))
        {
            _verdict.Take(ReplicaHealth.Down, $"it has run requests for {StallLimit.TotalSeconds:0} s without a step");
            return;
        }
        await TakeHealthyAsync(client, adapter, settings, cancellationToken);
    }

    /// <summary>One reading of the load; none while another one runs. Its failure is no verdict on the replica.</summary>
    internal async Task ReadLoadAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _adapter) is not { } adapter || Interlocked.Exchange(ref _isReadingLoad, 1) == 1)
        {
            return;
        }
        try
        {
            var client = _access.ClientOf(_replica.Address, Volatile.Read(ref _settings).Model, LoadTimeout);
            var reading = await adapter.ReadLoadAsync(client, _replica.Report, cancellationToken);
            if (reading.Outcome == ReadingOutcome.Read)
            {
                _loadComplaint = "";
                _replica.Observe(_view.TakeLoad(reading.Report));
                return;
            }
            var without = _view.TakeLoadFailure();
            if (without is not null)
            {
                _replica.Observe(without);
            }
            // A failed reading of the load is logged only where it lasts; that an engine is dead is logged by its probes.
            var lasts = reading.Outcome is ReadingOutcome.Absent or ReadingOutcome.Unauthorized || (without is not null && _replica.Health == ReplicaHealth.Up);
            if (lasts && reading.Detail != _loadComplaint)
            {
                _loadComplaint = reading.Detail;
                var engine = adapter.Traits.Kind.Word();
                Log.NoLoad(_log, _replica.Id, engine, reading.Detail);
            }
        }
        finally
        {
            Volatile.Write(ref _isReadingLoad, 0);
        }
    }

    private static Settings SettingsOf(ModelOptions model, ResilienceOptions options) =>
        new(model, options.Health, options.ScrapeInterval, NamesOf(model));

    /// <summary>The names under which engines may list a model; the one that they are asked for comes first.</summary>
    internal static string[] NamesOf(ModelOptions model) => [.. new[] { model.SentName, model.Name }.Concat(model.Aliases).Distinct()];

    private async Task RepeatAsync(Func<CancellationToken, Task> step, Func<TimeSpan> interval)
    {
        var stopping = _stopping.Token;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await step(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            // One replica's surprise must not end the watch over it: the next round tries again.
            catch (Exception problem)
            {
                Log.StepFailed(_log, problem, _replica.Id);
            }
            await Task.Delay(interval(), _access.Time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The adapter of the engine that answers; null: none could be told, and the replica was told so.</summary>
    private async Task<IEngineAdapter?> FindAdapterAsync(EngineClient client, Settings settings, CancellationToken cancellationToken)
    {
        var kind = _replica.ConfiguredEngine ?? settings.Model.Engine;
        if (kind == EngineKind.Auto)
        {
            // Another engine may be behind the address by the time it comes up again.
            if (_adapter is not null && _verdict.IsUp)
            {
                return _adapter;
            }
            (kind, var reading) = await EngineDetector.DetectAsync(client, cancellationToken);
            if (kind == EngineKind.Auto)
            {
                _verdict.TakeFailure(reading, settings.Model, settings.Health.Failures);
                return null;
            }
        }
        if (_adapter?.Traits.Kind != kind)
        {
            _view.Forget();
            Volatile.Write(ref _adapter, EngineAdapters.Of(kind));
        }
        return _adapter;
    }

    /// <summary>Whether the engine lives, by its kind's own call.</summary>
    internal static async Task<EngineReading> AskHealthAsync(EngineClient client, IEngineAdapter adapter, CancellationToken cancellationToken)
    {
        var path = adapter.Traits.HealthPath;
        using var answer = await client.GetAsync(path, cancellationToken);
        // Where the gateway has no key for it, a 401 still shows a live engine: clients bring their own keys.
        var isAlive = answer.IsSuccess || (answer.IsUnauthorized && !client.HasKey)
            || (adapter.Traits.Kind == EngineKind.OpenAi && answer.Status is > 0 and < 500 && !answer.IsUnauthorized);
        return isAlive ? EngineReading.Of(EngineReport.Empty) : EngineReading.Not(answer, path);
    }

    private async Task TakeHealthyAsync(EngineClient client, IEngineAdapter adapter, Settings settings, CancellationToken cancellationToken)
    {
        _verdict.TakeLife();
        var isUp = _verdict.IsUp;
        if (isUp && ++_probesSinceDescription < ProbesPerDescription)
        {
            return;
        }
        var reading = await adapter.DescribeAsync(client, settings.ModelNames, cancellationToken);
        if (reading.Outcome == ReadingOutcome.Unauthorized && client.HasKey)
        {
            _verdict.TakeFailure(reading, settings.Model, settings.Health.Failures);
            return;
        }
        if (reading.Outcome is ReadingOutcome.Slow or ReadingOutcome.Failed)
        {
            // The engine is healthy but did not list its models: a replica that worked keeps working, a new one waits until its models are known.
            if (!isUp)
            {
                _verdict.TakeFailure(reading, settings.Model, settings.Health.Failures);
            }
            return;
        }
        _probesSinceDescription = 0;
        if (reading.Outcome == ReadingOutcome.Unauthorized && !isUp)
        {
            Log.NoKey(_log, _replica.Id, reading.Detail);
        }
        if (reading.Outcome == ReadingOutcome.Absent && adapter.Traits.Kind == EngineKind.OpenAi && !isUp && !IsDeclared(settings))
        {
            Log.NoModelServer(_log, _replica.Id, reading.Detail);
        }
        _replica.Observe(_view.TakeFacts(reading.Report with { Engine = adapter.Traits.Kind }));
        // Every request asks for the first of the names, whatever its client called the model.
        var serves = reading.Report.Models.Count == 0 || reading.Report.Models.Contains(settings.Model.SentName);
        if (!serves && adapter.Traits.ModelCheck == ModelCheck.Strict)
        {
            _verdict.Take(ReplicaHealth.WrongModel, $"it serves {Listed(reading.Report.Models)}, not {settings.Model.SentName}: correct upstreamModel or the url");
            return;
        }
        if (!isUp)
        {
            if (!serves && adapter.Traits.ModelCheck == ModelCheck.Warn)
            {
                Log.ModelNotListed(_log, _replica.Id, settings.Model.SentName, Listed(reading.Report.Models));
            }
            // Its room should be known before the first request takes some.
            await ReadLoadAsync(cancellationToken);
        }
        _verdict.Take(ReplicaHealth.Up, "");
    }

    private bool IsDeclared(Settings settings) => (_replica.ConfiguredEngine ?? settings.Model.Engine) != EngineKind.Auto;

    private void OnSuspended(string why) => Log.Suspended(_log, _replica.Id, why);

    private void OnSpared(string why) => Log.Spared(_log, _replica.Id, why);

    private void OnRestarted() => Log.Restarted(_log, _replica.Id);

    private bool IsMoving(long? progressBefore) =>
        (progressBefore is not null && _replica.Report.Progress is { } now && now != progressBefore) || _isMakingProgress(_replica);

    private static string Listed(IReadOnlyList<string> models) =>
        string.Join(", ", models.Take(5).Select(name => name.Length > 100 ? name[..100] : name)) + (models.Count > 5 ? ", ..." : "");

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "replica {Replica} gets no work for a while (Suspended): {Why}")]
        public static partial void Suspended(ILogger log, string replica, string why);

        [LoggerMessage(Level = LogLevel.Warning, Message = "replica {Replica} fails and still gets work, since no other of its pool takes any: {Why}")]
        public static partial void Spared(ILogger log, string replica, string why);

        [LoggerMessage(Level = LogLevel.Information, Message = "replica {Replica}: the engine counts from the beginning, so it was started anew; its prefix cache is taken for empty")]
        public static partial void Restarted(ILogger log, string replica);

        [LoggerMessage(Level = LogLevel.Warning, Message = "replica {Replica} does not list {Model}; it lists {Models}. Correct upstreamModel, unless it serves the right model under this name too")]
        public static partial void ModelNotListed(ILogger log, string replica, string model, string models);

        [LoggerMessage(Level = LogLevel.Warning, Message = "replica {Replica} wants a key ({Detail}) and apiKeyEnv names none: its models are not known, clients must bring the key")]
        public static partial void NoKey(ILogger log, string replica, string detail);

        [LoggerMessage(Level = LogLevel.Warning, Message = "replica {Replica} answers, but not like a model server: {Detail}. Correct its url, or write engine: openai where it is one")]
        public static partial void NoModelServer(ILogger log, string replica, string detail);

        [LoggerMessage(Level = LogLevel.Information, Message = "replica {Replica} ({Engine}) tells no load, the gateway's own counts are used: {Detail}")]
        public static partial void NoLoad(ILogger log, string replica, string engine, string detail);

        [LoggerMessage(Level = LogLevel.Error, Message = "watching replica {Replica} failed unexpectedly, it is tried again")]
        public static partial void StepFailed(ILogger log, Exception problem, string replica);
    }
}
