namespace Gateway.Tests.Fakes;

/// <summary>The system's clock, so many times as fast: for waits of minutes across real sockets. Thread-safe.</summary>
internal sealed class HurriedTime(int times) : TimeProvider
{
    private readonly DateTimeOffset _start = System.GetUtcNow();
    private readonly long _startedAt = System.GetTimestamp();

    public override long TimestampFrequency => System.TimestampFrequency;

    public override long GetTimestamp() => _startedAt + ((System.GetTimestamp() - _startedAt) * times);

    public override DateTimeOffset GetUtcNow() => _start + GetElapsedTime(_startedAt);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new HurriedTimer(System.CreateTimer(callback, state, Hurried(dueTime), Hurried(period)), Hurried);

    // A wait of nothing would be no wait: a timer that is to come back would never let go.
    private TimeSpan Hurried(TimeSpan wait) =>
        wait <= TimeSpan.Zero ? wait : TimeSpan.FromMilliseconds(Math.Max(1, wait.TotalMilliseconds / times));

    private sealed class HurriedTimer(ITimer timer, Func<TimeSpan, TimeSpan> hurried) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(hurried(dueTime), hurried(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
