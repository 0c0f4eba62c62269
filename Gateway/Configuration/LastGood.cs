namespace Gateway.Configuration;

/// <summary>Holds the settings in force. One writer (the watcher); any thread may read. A failed load changes nothing.</summary>
public sealed class LastGood<T>(T initial)
    where T : class
{
    private volatile T _current = initial;

    /// <summary>The settings in force. Read it once per decision and keep it in a local: two reads can see two files.</summary>
    public T Current => _current;

    /// <summary>Raised after <see cref="Current"/> was swapped, on the writer's thread, with the new settings.</summary>
    public event Action<T>? Changed;

    /// <summary>Takes over what was loaded without problems.</summary>
    /// <returns>Whether the settings were taken over.</returns>
    public bool Apply(LoadResult<T> loaded)
    {
        if (loaded.Options is not { } options)
        {
            return false;
        }

        _current = options;
        Changed?.Invoke(options);
        return true;
    }
}
