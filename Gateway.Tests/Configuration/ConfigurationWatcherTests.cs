using Gateway.Configuration;
using Microsoft.Extensions.Logging;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public sealed class ConfigurationWatcherTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();
    private readonly ManualTimer _time = new();
    private readonly List<bool> _reloads = [];
    private readonly List<(LogLevel Level, string Text)> _logged = [];
    private readonly LastGood<GatewayOptions> _settings = new(Good(OneModel));
    private readonly ConfigurationWatcher _watcher;

    public ConfigurationWatcherTests()
    {
        File.WriteAllText(_path, OneModel);
        _watcher = new ConfigurationWatcher(_path, OneModel, _settings, text => Load(text), problems => _reloads.Add(problems.Count == 0), _time, new Recorder(_logged));
    }

    public void Dispose()
    {
        _watcher.Dispose();
        File.Delete(_path);
    }

    [Fact]
    public void Tick_AfterAGoodEdit_WaitsForAQuietMomentAndApplies()
    {
        File.WriteAllText(_path, OneModel + "queue: { maxWaiting: 5 }");
        _time.Tick();
        Assert.Empty(_reloads);

        _time.Tick();

        Assert.Equal([true], _reloads);
        Assert.Equal(5, _settings.Current.Queue.MaxWaiting);
    }

    [Fact]
    public void Tick_WhileTheFileKeepsChanging_LoadsOnlyWhatStoodStill()
    {
        foreach (var half in new[] { "", "queue:", "queue: { maxWaiting: 4 }" })
        {
            File.WriteAllText(_path, OneModel + half + "\n# saving");
            _time.Tick();
        }

        Assert.Empty(_reloads);
        _time.Tick();
        _time.Tick();

        Assert.Equal([true], _reloads);
        Assert.Equal(4, _settings.Current.Queue.MaxWaiting);
    }

    [Fact]
    public void Tick_AfterABadEditThenAGoodOne_KeepsTheLastGoodAndThenApplies()
    {
        var before = _settings.Current;
        Edit(OneModel + "queue: { maxWaiting: none, order: fcfs }\n");

        Assert.Same(before, _settings.Current);
        Assert.Equal([false], _reloads);
        var (level, text) = Assert.Single(_logged);
        Assert.Equal(LogLevel.Error, level);
        Assert.Contains($"{_path}:4:22  queue.maxWaiting: \"none\" is not a whole number.", text.Replace("test.yaml", _path, StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("1 problem. The settings in force were not changed.", text, StringComparison.Ordinal);

        Edit(OneModel + "queue: { maxWaiting: 9 }\n");

        Assert.Equal([false, true], _reloads);
        Assert.Equal(9, _settings.Current.Queue.MaxWaiting);
    }

    [Fact]
    public void Tick_OnABadFileThatStays_ComplainsOnce()
    {
        Edit("models: []");
        _time.Tick();
        _time.Tick();

        Assert.Equal([false], _reloads);
    }

    [Fact]
    public void Tick_WhileTheFileIsMissing_ComplainsOnceAndFollowsItsReturn()
    {
        File.Delete(_path);
        _time.Tick();
        _time.Tick();
        _time.Tick();
        Assert.Equal([false], _reloads);
        Assert.Contains("There is no such file.", Assert.Single(_logged).Text, StringComparison.Ordinal);

        Edit(OneModel + "mode: plain");

        Assert.Equal([false, true], _reloads);
        Assert.Equal(GatewayMode.Plain, _settings.Current.Mode);
    }

    [Fact]
    public void Tick_OverAnUnchangedFile_DoesNothing()
    {
        _time.Tick();
        _time.Tick();

        Assert.Empty(_reloads);
    }

    [Fact]
    public void ReloadNow_AfterAnEdit_DoesNotWait()
    {
        File.WriteAllText(_path, OneModel + "mode: plain");

        _watcher.ReloadNow();

        Assert.Equal([true], _reloads);
        Assert.Equal(GatewayMode.Plain, _settings.Current.Mode);
        _time.Tick();
        _time.Tick();
        Assert.Equal([true], _reloads);
    }

    [Theory]
    [InlineData("listen: http://127.0.0.1:9999", "listen")]
    [InlineData("listen: { maxConnections: 5 }", "listen")]
    [InlineData("telemetry: { accessLog: off }", "telemetry.accessLog")]
    [InlineData("telemetry: { logLevel: debug }", "telemetry.logLevel")]
    [InlineData("estimation: { window: 64 }", "estimation.window")]
    [InlineData("estimation: { initialOutputTokens: 64 }", "estimation.initialOutputTokens")]
    [InlineData("resilience: { connectTimeout: 1s }", "resilience.connectTimeout")]
    public void Tick_AfterAnEditThatNeedsARestart_WarnsAndAppliesTheRest(string change, string key)
    {
        Edit(OneModel + "mode: plain\n" + change);

        Assert.Equal(GatewayMode.Plain, _settings.Current.Mode);
        Assert.Equal((LogLevel.Warning, $"{key} has changed and takes effect after a restart."), Assert.Single(_logged, entry => entry.Level >= LogLevel.Warning));
    }

    [Theory]
    [InlineData("listen: { maxConnections: 5 }", "mode: plain", 1)]
    [InlineData("telemetry: { logLevel: debug }", "mode: plain", 1)]
    [InlineData("estimation: { window: 64 }", "mode: plain", 1)]
    [InlineData("telemetry: { logLevel: debug }", "telemetry: { logLevel: debug }\nmode: plain", 1)]
    [InlineData("telemetry: { logLevel: debug }", "telemetry: { logLevel: error }", 2)]
    [InlineData("estimation: { estimator: neighbours, window: 64 }", "estimation: { estimator: neighbours }", 1)]
    public void Tick_AfterASettingThatNeedsARestartWasEditedAgain_WarnsWhereItIsNotWhatRuns(string first, string second, int warnings)
    {
        Edit(OneModel + first);
        Edit(OneModel + second);

        Assert.Equal([true, true], _reloads);
        Assert.Equal(warnings, _logged.Count(entry => entry.Level == LogLevel.Warning));
    }

    [Fact]
    public void Apply_OfGoodAndBadResults_RaisesChangedForGoodOnes()
    {
        var told = new List<GatewayOptions>();
        _settings.Changed += told.Add;
        var plain = Load(OneModel + "mode: plain");

        Assert.False(_settings.Apply(Load("nonsense")));
        Assert.True(_settings.Apply(plain));

        Assert.Same(plain.Options, Assert.Single(told));
        Assert.Same(plain.Options, _settings.Current);
    }

    private void Edit(string text)
    {
        File.WriteAllText(_path, text);
        _time.Tick();
        _time.Tick();
    }

    /// <summary>Fires the watcher's timer when the test says so.</summary>
    private sealed class ManualTimer : TimeProvider, ITimer
    {
        private Action _fire = () => { };

        public void Tick() => _fire();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Assert.Equal((ConfigurationWatcher.Interval, ConfigurationWatcher.Interval), (dueTime, period));
            _fire = () => callback(state);
            return this;
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => false;

        public void Dispose() => _fire = () => { };

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class Recorder(List<(LogLevel Level, string Text)> logged) : ILogger<ConfigurationWatcher>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            logged.Add((logLevel, formatter(state, exception)));
    }
}
