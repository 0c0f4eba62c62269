using System.Security.Cryptography;
using System.Text;

namespace Gateway.Configuration;

/// <summary>Tells when the contents of files have changed and stood still for one look: mounted files often raise no event, and several belong together.</summary>
public sealed class FileFollower : IDisposable
{
    private readonly Func<IReadOnlyList<string>> _paths;
    private readonly Action _changed;
    private readonly ITimer _timer;
    private string _seen;
    private string _told;
    private int _isLooking;

    /// <summary>Starts following; what is there now counts as known.</summary>
    /// <param name="paths">The files, asked for at each look.</param>
    /// <param name="changed">Told of a change; reads the files itself.</param>
    /// <param name="time">Whose timer looks, as often as for the configuration.</param>
    public FileFollower(Func<IReadOnlyList<string>> paths, Action changed, TimeProvider time)
    {
        (_paths, _changed) = (paths, changed);
        _seen = _told = Contents();
        _timer = time.CreateTimer(_ => Look(), null, ConfigurationWatcher.Interval, ConfigurationWatcher.Interval);
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        if (Interlocked.Exchange(ref _isLooking, 1) == 1)
        {
            return;
        }
        try
        {
            var contents = Contents();
            var isQuiet = contents == _seen;
            _seen = contents;
            if (contents != _told && isQuiet)
            {
                _told = contents;
                _changed();
            }
        }
        finally
        {
            Volatile.Write(ref _isLooking, 0);
        }
    }

    // Only a hash of the contents is kept, since some of these files hold keys.
    private string Contents()
    {
        var all = new StringBuilder();
        foreach (var path in _paths())
        {
            all.Append(path).Append('\0').Append(ConfigurationFile.Read(path, out var problem) ?? problem).Append('\0');
        }
        return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(all.ToString())));
    }
}
