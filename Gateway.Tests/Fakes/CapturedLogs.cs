using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Fakes;

/// <summary>One line that was logged.</summary>
internal sealed record LoggedLine(LogLevel Level, string Category, string Text, Exception? Exception);

/// <summary>Keeps what is logged, for tests that say that something is not. Thread-safe.</summary>
internal sealed class CapturedLogs : ILoggerProvider
{
    private readonly ConcurrentQueue<LoggedLine> _lines = new();

    public IReadOnlyList<LoggedLine> Lines => [.. _lines];

    /// <summary>Lines that a person would have to look at.</summary>
    public IReadOnlyList<LoggedLine> Alarming => [.. _lines.Where(line => line.Level > LogLevel.Information || line.Exception is not null)];

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose()
    {
    }

    private sealed class Logger(CapturedLogs logs, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            logs._lines.Enqueue(new LoggedLine(logLevel, category, formatter(state, exception), exception));
    }
}
