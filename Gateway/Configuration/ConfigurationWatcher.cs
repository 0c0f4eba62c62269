using Microsoft.Extensions.Logging;

namespace Gateway.Configuration;

/// <summary>Follows a configuration file and takes over every good edit. Contents are compared every two seconds, because mounted files often raise no
/// event; and a change is loaded only once it has stood still for one interval, because editors save in several steps.</summary>
public sealed partial class ConfigurationWatcher : IDisposable
{
    /// <summary>Time between two looks at the file: a good edit is in force after one to two of them.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly string _path;
    private readonly LastGood<GatewayOptions> _settings;
    private readonly Func<string, LoadResult<GatewayOptions>> _load;
    private readonly Action<IReadOnlyList<ConfigurationProblem>> _reloaded;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private string? _seen;
    private string? _loaded;
    private GatewayOptions _running;
    private int _isLooking;
    private volatile bool _isAsked;
    private volatile bool _isDisposed;

    /// <summary>Starts following.</summary>
    /// <param name="path">The file that <paramref name="settings"/> came from.</param>
    /// <param name="text">The text they came from; the file differing from it counts as an edit.</param>
    /// <param name="settings">Written by this watcher alone.</param>
    /// <param name="load">From a text to its settings.</param>
    /// <param name="reloaded">Told of every reload with its problems; none where it was applied.</param>
    /// <param name="time">Whose timer looks at the file.</param>
    /// <param name="log">Where a refused edit is written, as an error with the same list that <c>check</c> prints.</param>
    public ConfigurationWatcher(
        string path,
        string text,
        LastGood<GatewayOptions> settings,
        Func<string, LoadResult<GatewayOptions>> load,
        Action<IReadOnlyList<ConfigurationProblem>> reloaded,
        TimeProvider time,
        ILogger<ConfigurationWatcher> log)
    {
        (_path, _seen, _loaded, _settings, _load, _reloaded, _log) = (path, text, text, settings, load, reloaded, log);
        _running = settings.Current;
        _timer = time.CreateTimer(_ => Look(), null, Interval, Interval);
    }

    /// <summary>Loads the file without waiting for it to change or to stand still, as for SIGHUP.</summary>
    public void ReloadNow()
    {
        _isAsked = true;
        Look();
    }

    /// <summary>Follows the file no more, not even when asked. Further calls do nothing.</summary>
    public void Dispose()
    {
        _isDisposed = true;
        _timer.Dispose();
    }

    /// <summary>Writes the warnings of settings that are in force, a line each.</summary>
    public static void Warn(ILogger log, IReadOnlyList<ConfigurationProblem> warnings)
    {
        foreach (var warning in warnings)
        {
            Log.Warned(log, warning.Where.ToString(), warning.ToString());
        }
    }

    private void Look()
    {
        // A look that is still running is followed by the next tick, which also answers a ReloadNow that came in between.
        if (_isDisposed || Interlocked.Exchange(ref _isLooking, 1) == 1)
        {
            return;
        }

        try
        {
            var isAsked = _isAsked;
            _isAsked = false;
            var text = ConfigurationFile.Read(_path, out var unreadable);
            var hasChanged = text != _loaded;
            var isQuiet = text == _seen;
            _seen = text;
            if (!_isDisposed && (isAsked || (hasChanged && isQuiet)))
            {
                _loaded = text;
                Reload(text is null ? new LoadResult<GatewayOptions>(null, [new ConfigurationProblem(SourceSpot.Of(_path), "", unreadable!, null)]) : _load(text));
            }
        }
        finally
        {
            Volatile.Write(ref _isLooking, 0);
        }
    }

    private void Reload(LoadResult<GatewayOptions> loaded)
    {
        var before = _settings.Current;
        var isApplied = _settings.Apply(loaded);
        // Before the log: when the log tells of an edit, metrics and status show it already.
        _reloaded(loaded.Problems);
        if (isApplied)
        {
            Log.Applied(_log, _path);
            Warn(_log, loaded.Warnings);
            var now = loaded.Options!;
            _running = RestartKeys.Running(_running, now);
            // Only keys that this edit changed and that differ from what runs: setting a value back needs no restart, and an earlier warning is not repeated.
            foreach (var key in RestartKeys.Changed(_running, now).Intersect(RestartKeys.Changed(before, now)))
            {
                Log.NeedsRestart(_log, key);
            }
        }
        else
        {
            Log.Refused(_log, Environment.NewLine + ProblemReport.Format(loaded.Problems, "The settings in force were not changed."));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Settings of {File} are in force.")]
        public static partial void Applied(ILogger logger, string file);

        [LoggerMessage(EventId = 2, Level = LogLevel.Error, Message = "A changed configuration was refused:{Problems}")]
        public static partial void Refused(ILogger logger, string problems);

        [LoggerMessage(EventId = 3, Level = LogLevel.Warning, Message = "{Setting} has changed and takes effect after a restart.")]
        public static partial void NeedsRestart(ILogger logger, string setting);

        [LoggerMessage(EventId = 4, Level = LogLevel.Warning, Message = "{Where}  {Warning}")]
        public static partial void Warned(ILogger logger, string where, string warning);
    }
}
