namespace Gateway.Replicas;

/// <summary>The targets of time per token of the requests in flight at a replica, as longest decode step; there are few different ones, one for each class. Guarded by its replica's lock.</summary>
internal sealed class StepLimits
{
    private readonly List<(double Seconds, int Count)> _limits = [];

    /// <summary>The shortest of them, in seconds; infinite: nobody minds.</summary>
    public double Least { get; private set; } = double.PositiveInfinity;

    public void Add(double seconds) => Change(seconds, 1);

    public void Remove(double seconds) => Change(seconds, -1);

    private int IndexOf(double seconds)
    {
        for (var i = 0; i < _limits.Count; i++)
        {
            if (_limits[i].Seconds == seconds)
            {
                return i;
            }
        }
        return -1;
    }

    private void Change(double seconds, int change)
    {
        if (double.IsPositiveInfinity(seconds))
        {
            return;
        }
        var index = IndexOf(seconds);
        if (index < 0)
        {
            _limits.Add((seconds, change));
        }
        else if (_limits[index].Count + change is > 0 and var count)
        {
            _limits[index] = (seconds, count);
        }
        else
        {
            _limits.RemoveAt(index);
        }
        Least = double.PositiveInfinity;
        foreach (var limit in _limits)
        {
            Least = Math.Min(Least, limit.Seconds);
        }
    }
}
