namespace Gateway.Replay.Reports;

/// <summary>The course of a run in equal windows. All arrays are equally long, at most <see cref="RunTimeline.MostWindows"/>.</summary>
/// <param name="WindowSeconds">Width of a window; window i begins at i × width.</param>
/// <param name="QueueDepth">Mean requests held in front of the engines.</param>
/// <param name="Running">Mean running requests per replica.</param>
/// <param name="Waiting">Mean waiting requests per replica, in the engine.</param>
/// <param name="KvUsage">Mean use of KV room per replica, 0 to 1.</param>
/// <param name="CompletedPerSecond">Requests that ended in the window, per second.</param>
public sealed record TimelineSeries(
    double WindowSeconds, double[] QueueDepth, double[] Running, double[] Waiting, double[] KvUsage, double[] CompletedPerSecond);

/// <summary>
/// Samples gathered into windows. Memory is fixed: a run that outgrows the windows has each two of them joined, and so on for ever.
/// </summary>
internal sealed class RunTimeline
{
    /// <summary>Most windows of a run; a run of any length but the shortest has at least half as many.</summary>
    public const int MostWindows = 300;

    private readonly Window[] _windows = new Window[MostWindows];
    private TimeSpan _width = TimeSpan.FromMilliseconds(10);
    private int _used;

    public void AddReplica(in ReplicaSample sample)
    {
        ref var window = ref At(sample.At);
        window.Replicas++;
        window.Running += sample.Running;
        window.Waiting += sample.Waiting;
        window.KvUsage += sample.KvUsage;
    }

    public void AddQueue(in QueueSample sample)
    {
        ref var window = ref At(sample.At);
        window.Queues++;
        window.QueueDepth += sample.Waiting;
    }

    public void AddCompleted(TimeSpan at) => At(at).Completed++;

    /// <summary>The windows so far. A window without a sample shows what the one before it showed.</summary>
    public TimelineSeries Series()
    {
        var series = new TimelineSeries(
            _width.TotalSeconds, new double[_used], new double[_used], new double[_used], new double[_used], new double[_used]);
        for (var i = 0; i < _used; i++)
        {
            ref readonly var window = ref _windows[i];
            series.QueueDepth[i] = MeanOrBefore(series.QueueDepth, i, window.QueueDepth, window.Queues);
            series.Running[i] = MeanOrBefore(series.Running, i, window.Running, window.Replicas);
            series.Waiting[i] = MeanOrBefore(series.Waiting, i, window.Waiting, window.Replicas);
            series.KvUsage[i] = MeanOrBefore(series.KvUsage, i, window.KvUsage, window.Replicas);
            series.CompletedPerSecond[i] = window.Completed / _width.TotalSeconds;
        }
        return series;
    }

    private static double MeanOrBefore(double[] values, int i, double sum, long count) =>
        count > 0 ? sum / count : i > 0 ? values[i - 1] : 0;

    private ref Window At(TimeSpan at)
    {
        var place = Math.Max(0, at.Ticks) / _width.Ticks;
        while (place >= MostWindows)
        {
            JoinPairs();
            place = Math.Max(0, at.Ticks) / _width.Ticks;
        }
        _used = Math.Max(_used, (int)place + 1);
        return ref _windows[place];
    }

    private void JoinPairs()
    {
        for (var i = 0; i < MostWindows / 2; i++)
        {
            _windows[i] = Window.Join(_windows[2 * i], _windows[(2 * i) + 1]);
        }
        Array.Clear(_windows, MostWindows / 2, MostWindows / 2);
        _used = (_used + 1) / 2;
        _width *= 2;
    }

    private struct Window
    {
        public long Replicas;
        public long Queues;
        public long Completed;
        public double Running;
        public double Waiting;
        public double KvUsage;
        public double QueueDepth;

        public static Window Join(in Window a, in Window b) => new()
        {
            Replicas = a.Replicas + b.Replicas,
            Queues = a.Queues + b.Queues,
            Completed = a.Completed + b.Completed,
            Running = a.Running + b.Running,
            Waiting = a.Waiting + b.Waiting,
            KvUsage = a.KvUsage + b.KvUsage,
            QueueDepth = a.QueueDepth + b.QueueDepth,
        };
    }
}
