using System.Net;
using System.Text;
using Gateway.Replicas.Engines;

namespace Gateway.Tests.Replicas.Engines;

/// <summary>An engine that gives prepared answers by path, 404 elsewhere, and remembers what it was asked.</summary>
internal sealed class CannedEngine : HttpMessageHandler
{
    public static readonly Uri Address = new("http://engine:8000");

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Func<CancellationToken, Task<HttpResponseMessage>>> _answers = [];
    private readonly List<(string Path, TaskCompletionSource Asked, int Times)> _awaited = [];
    private readonly List<(HttpMethod Method, string Path, string? Authorization)> _asked = [];

    /// <summary>No connection can be opened.</summary>
    public bool IsGone { get; set; }

    public IReadOnlyList<(HttpMethod Method, string Path, string? Authorization)> Asked
    {
        get
        {
            lock (_gate)
            {
                return [.. _asked];
            }
        }
    }

    public int TimesAsked(string path) => Asked.Count(question => question.Path == path);

    public CannedEngine With(string path, string body, int status = 200) =>
        With(path, _ => Task.FromResult(new HttpResponseMessage((HttpStatusCode)status) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) }));

    /// <summary>The path is never answered, until the asker gives up.</summary>
    public CannedEngine WithSilence(string path) => With(path, async cancellationToken =>
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        throw new InvalidOperationException("an endless wait has ended");
    });

    public CannedEngine With(string path, Func<CancellationToken, Task<HttpResponseMessage>> answer)
    {
        lock (_gate)
        {
            _answers[path] = answer;
        }
        return this;
    }

    /// <summary>The prepared answer of a path.</summary>
    public Func<CancellationToken, Task<HttpResponseMessage>> AnswerAsync(string path) => _answers[path];

    /// <summary>Ends once the path was asked so many times, from the start.</summary>
    public Task AskedAsync(string path, int times = 1)
    {
        lock (_gate)
        {
            var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaited.Add((path, asked, times));
            TellLocked();
            return asked.Task;
        }
    }

    public EngineClient Client(TimeProvider time, string? apiKey = null) => new(Invoker(), Address, apiKey, TimeSpan.FromSeconds(5), time);

    public EngineAccess Access(TimeProvider time, string? apiKey = null) => new(Invoker(), _ => apiKey, time);

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Func<CancellationToken, Task<HttpResponseMessage>>? answer;
        lock (_gate)
        {
            _asked.Add((request.Method, request.RequestUri!.PathAndQuery, request.Headers.Authorization?.ToString()));
            _answers.TryGetValue(request.RequestUri.PathAndQuery, out answer);
            TellLocked();
        }
        if (IsGone)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, "refused");
        }
        return answer?.Invoke(cancellationToken) ?? Task.FromResult(new HttpResponseMessage(HttpStatusCode.NotFound) { Content = new StringContent("{}") });
    }

    private HttpMessageInvoker Invoker() => new(this, disposeHandler: false);

    private void TellLocked()
    {
        foreach (var (path, asked, times) in _awaited)
        {
            if (_asked.Count(question => question.Path == path) >= times)
            {
                asked.TrySetResult();
            }
        }
    }
}
