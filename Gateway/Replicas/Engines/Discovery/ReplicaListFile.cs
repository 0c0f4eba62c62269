using Microsoft.Extensions.Logging;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>The replicas that a followed file lists. A file that is gone, faulty or being written changes nothing: the last good list stays. Not thread-safe.</summary>
internal sealed partial class ReplicaListFile(string model, IReplicaListReader lists, ILogger log)
{
    private string? _path;
    private string? _taken;
    private string? _last;
    private string? _complaint;

    /// <summary>The last good list; empty before the first.</summary>
    public IReadOnlyList<ReplicaOptions> Replicas { get; private set; } = [];

    /// <summary>Looks once. The first text of a file counts at once, a changed one when the next look finds the same.</summary>
    /// <param name="path">The file; null: there is none any more.</param>
    public void Look(string? path)
    {
        if (path != _path)
        {
            (_path, _taken, _last, _complaint, Replicas) = (path, null, null, null, []);
        }
        if (path is null)
        {
            return;
        }
        if (lists.Read(path, out var problem) is not { } text)
        {
            _last = null;
            Complain(path, problem);
            return;
        }
        var isQuiet = _taken is null || text == _last;
        _last = text;
        if (text == _taken)
        {
            _complaint = null;
            return;
        }
        if (!isQuiet)
        {
            return;
        }
        _taken = text;
        if (lists.Parse(text, path, out problem) is { } replicas)
        {
            _complaint = null;
            Replicas = replicas;
        }
        else
        {
            Complain(path, problem);
        }
    }

    private void Complain(string path, string? problem)
    {
        if (problem != _complaint)
        {
            _complaint = problem;
            Log.Unusable(log, model, path, Replicas.Count, problem);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Error, Message = "model {Model}: the replicas of {Path} cannot be taken over, the last ones ({Count}) stay: {Problem}")]
        public static partial void Unusable(ILogger log, string model, string path, int count, string? problem);
    }
}
