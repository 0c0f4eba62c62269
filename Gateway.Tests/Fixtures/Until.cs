namespace Gateway.Tests.Fixtures;

/// <summary>Waiting for events that have no task of their own.</summary>
internal static class Until
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);

    /// <summary>Looks until a condition holds, without keeping a core busy; what never comes is named in the failure.</summary>
    public static Task HoldsAsync(Func<bool> condition, string what, TimeSpan? patience = null) =>
        HoldsAsync(() => Task.FromResult(condition()), what, patience);

    /// <inheritdoc cref="HoldsAsync(Func{bool}, string, TimeSpan?)"/>
    public static async Task HoldsAsync(Func<Task<bool>> condition, string what, TimeSpan? patience = null)
    {
        var since = TimeProvider.System.GetTimestamp();
        using var looks = new PeriodicTimer(Look);
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(since) < (patience ?? Patience), $"Waited in vain until {what}.");
            await looks.WaitForNextTickAsync();
        }
    }

    /// <summary>The task's result; if it does not come, what was waited for is named in the failure.</summary>
    public static async Task<T> ComesAsync<T>(this Task<T> task, string what, TimeSpan? patience = null)
    {
        Assert.True(await Task.WhenAny(task, Late(patience)) == task, $"Waited in vain for {what}.");
        return await task;
    }

    /// <inheritdoc cref="ComesAsync{T}"/>
    public static async Task ComesAsync(this Task task, string what, TimeSpan? patience = null)
    {
        Assert.True(await Task.WhenAny(task, Late(patience)) == task, $"Waited in vain for {what}.");
        await task;
    }

    private static Task Late(TimeSpan? patience)
    {
        var late = new TaskCompletionSource();
        var timer = new CancellationTokenSource(patience ?? Patience);
        timer.Token.Register(() => late.TrySetResult());
        return late.Task;
    }
}
