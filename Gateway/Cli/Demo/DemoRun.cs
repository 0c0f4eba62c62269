using System.Collections.Concurrent;

namespace Gateway.Cli.Demo;

/// <summary>The workload while it runs: who asks what next, and what came of it. Thread-safe.</summary>
internal sealed class DemoRun(IReadOnlyList<DemoConversation> conversations, DemoClient client, TimeProvider time)
{
    private readonly ConcurrentQueue<DemoConversation> _next = new(conversations);
    private readonly ConcurrentQueue<DemoResult> _results = new();
    private readonly long _begun = time.GetTimestamp();

    /// <summary>Requests that the workload makes in all.</summary>
    public int Requests { get; } = DemoWorkload.Requests(conversations);

    public TimeSpan Elapsed => time.GetElapsedTime(_begun);

    /// <summary>What has ended so far, in the order of the endings.</summary>
    public IReadOnlyCollection<DemoResult> Results => _results;

    /// <summary>Runs all conversations, a few at a time.</summary>
    public Task RunAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(Enumerable.Range(0, DemoWorkload.Concurrency).Select(_ => TalkAsync(cancellationToken)));

    private async Task TalkAsync(CancellationToken cancellationToken)
    {
        while (_next.TryDequeue(out var conversation))
        {
            List<(string Role, string Text)> messages = [("system", conversation.System)];
            foreach (var turn in conversation.Turns)
            {
                messages.Add(("user", turn.Text));
                _results.Enqueue(await client.AskAsync(conversation, messages, turn, cancellationToken));
            }
        }
    }
}
