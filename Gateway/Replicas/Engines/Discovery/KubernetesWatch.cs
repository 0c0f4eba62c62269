using System.Net;
using System.Net.Http;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>Follows the EndpointSlices of one model: list, then watch from there; listed anew when the server does not know the version or its events cannot be read. While the server is away the last list stays.</summary>
internal sealed class KubernetesWatch(
    ModelOptions model, KubernetesOptions options, Func<string, string?> environment, TimeProvider time, Random chance,
    Action<KubernetesWatch, IReadOnlyList<ReplicaOptions>> found, ILogger log) : IAsyncDisposable
{
    /// <summary>How long the server may keep one watch open.</summary>
    public const int WatchSeconds = 300;

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan WatchTimeout = TimeSpan.FromSeconds(WatchSeconds + 30);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    // Longer than a connection may take to fail.
    private static readonly TimeSpan WorthAnother = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stopping = new();
    private readonly KubernetesTroubles _told = new(model.Name, options.CredentialsPath, log);
    private readonly EndpointSliceTable _table = new(model, options.Port);
    private Task _running = Task.CompletedTask;
    private string? _version;

    /// <summary>Whether these settings lead to this watch.</summary>
    public bool IsOf(ModelOptions? other) =>
        other?.Discovery.Kubernetes == options && other.Name == model.Name && other.UpstreamModel == model.UpstreamModel && other.Aliases.SequenceEqual(model.Aliases);

    /// <summary>Starts following. Called once.</summary>
    public void Start() => _running = Task.Run(FollowAsync);

    /// <summary>Ends the watch at once, an open question included.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        _stopping.Dispose();
    }

    private async Task FollowAsync()
    {
        var stopping = _stopping.Token;
        var pause = ShortestPause;
        while (!stopping.IsCancellationRequested)
        {
            var began = time.GetTimestamp();
            try
            {
                using var client = KubernetesClient.Open(options, environment);
                if (_version is null)
                {
                    await ListAsync(client, stopping);
                }
                await WatchAsync(client, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            // No trouble with the server may end discovery: what it answers, or fails to, is tried again later.
            catch (Exception trouble)
            {
                _told.Failed(trouble, _table.Replicas().Count);
            }
            // What ends at once, well or badly, is asked for ever more seldom. A watch that held for a while and was cut is missed soon.
            pause = time.GetElapsedTime(began) >= WorthAnother ? ShortestPause : pause * 2 < LongestPause ? pause * 2 : LongestPause;
            // Jittered, so that the gateways of a cluster do not come back to its server together.
            await Task.Delay(pause * (0.5 + chance.NextDouble()), time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ListAsync(KubernetesClient client, CancellationToken stopping)
    {
        using var expiry = new CancellationTokenSource(AnswerTimeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, stopping);
        var listed = new List<JsonElement>();
        var version = await client.ListAsync(slice => listed.Add(slice.Clone()), limit.Token);
        // Only a list that came whole replaces what is known.
        _table.Clear();
        listed.ForEach(_table.Set);
        _version = version;
        Publish();
    }

    private async Task WatchAsync(KubernetesClient client, CancellationToken stopping)
    {
        using var expiry = new CancellationTokenSource(WatchTimeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, stopping);
        try
        {
            using var response = await OpenAsync(client, limit.Token);
            _told.Recovered();
            await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
            await foreach (var line in WatchLines.ReadAsync(body, limit.Token))
            {
                if (!Take(line))
                {
                    return;
                }
            }
        }
        catch (Exception refused) when (!MayGoOnFromVersion(refused))
        {
            _version = null;
            if (refused is not HttpRequestException { StatusCode: HttpStatusCode.Gone })
            {
                throw;
            }
        }
    }

    // The server sends the head of its answer before the first event: one that does not hangs.
    private async Task<HttpResponseMessage> OpenAsync(KubernetesClient client, CancellationToken limit)
    {
        using var expiry = new CancellationTokenSource(AnswerTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, limit);
        return await client.WatchAsync(_version!, WatchSeconds, either.Token);
    }

    // Not where a server refuses the version itself, as one does that was restored from an older state (504), nor where it sends an event that cannot be read: it would again.
    private static bool MayGoOnFromVersion(Exception trouble) => trouble
        is HttpRequestException { StatusCode: null or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.TooManyRequests }
        or IOException or OperationCanceledException;

    /// <returns>Whether the watch goes on.</returns>
    private bool Take(ReadOnlyMemory<byte> line)
    {
        using var told = JsonDocument.Parse(line);
        var (type, subject) = (told.RootElement.GetProperty("type").GetString(), told.RootElement.GetProperty("object"));
        switch (type)
        {
            case "ADDED" or "MODIFIED":
                _table.Set(subject);
                break;
            case "DELETED":
                _table.Remove(subject);
                break;
            case "BOOKMARK":
                break;
            default:
                // ERROR: 410 means that the version is too old; with any other a fresh list is the safe way on, too.
                _version = null;
                return false;
        }
        _version = subject.GetProperty("metadata").GetProperty("resourceVersion").GetString();
        if (type != "BOOKMARK")
        {
            Publish();
        }
        return true;
    }

    private void Publish()
    {
        var replicas = _table.Replicas();
        _told.Found(replicas.Count, _table.Slices);
        found(this, replicas);
    }
}
