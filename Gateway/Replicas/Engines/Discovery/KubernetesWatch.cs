using System.Net;
using System.Net.Http;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>Follows the EndpointSlices of one model: list, then watch from there; listed anew only when the server has forgotten the version. While the server is away the last list stays.</summary>
internal sealed partial class KubernetesWatch(
    ModelOptions model, KubernetesOptions options, Func<string, string?> environment, TimeProvider time, Random chance,
    Action<KubernetesWatch, IReadOnlyList<ReplicaOptions>> found, ILogger log) : IAsyncDisposable
{
    /// <summary>How long the server may keep one watch open.</summary>
    public const int WatchSeconds = 300;

    private static readonly TimeSpan ListTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan WatchTimeout = TimeSpan.FromSeconds(WatchSeconds + 30);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stopping = new();
    private readonly EndpointSliceTable _table = new(model, options.Port);
    private Task _running = Task.CompletedTask;
    private string? _version;
    private string? _complaint;

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
            try
            {
                using var client = KubernetesClient.Open(options, environment);
                if (_version is null)
                {
                    await ListAsync(client, stopping);
                }
                await WatchAsync(client, stopping);
                pause = ShortestPause;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            // No trouble with the server may end discovery: what it answers, or fails to, is tried again later.
            catch (Exception trouble)
            {
                Complain(trouble);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
            // Jittered, so that the gateways of a cluster do not come back to its server together.
            await Task.Delay(pause * (0.5 + chance.NextDouble()), time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ListAsync(KubernetesClient client, CancellationToken stopping)
    {
        using var expiry = new CancellationTokenSource(ListTimeout, time);
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
            using var response = await client.WatchAsync(_version!, WatchSeconds, limit.Token);
            Recover();
            await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
            await foreach (var line in WatchLines.ReadAsync(body, limit.Token))
            {
                if (!Take(line))
                {
                    return;
                }
            }
        }
        catch (HttpRequestException old) when (old.StatusCode == HttpStatusCode.Gone)
        {
            _version = null;
        }
    }

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

    private void Publish() => found(this, _table.Replicas());

    private void Recover()
    {
        if (_complaint is not null)
        {
            _complaint = null;
            Log.Recovered(log, model.Name);
        }
    }

    private void Complain(Exception trouble)
    {
        var complaint = trouble is HttpRequestException { StatusCode: HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized } denied
            ? $"the server answered {(int)denied.StatusCode!}: the service account needs get, list and watch on endpointslices"
            : trouble.Message;
        if (complaint != _complaint)
        {
            _complaint = complaint;
            Log.Troubled(log, model.Name, _table.Replicas().Count, complaint);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "model {Model}: the Kubernetes API cannot be followed, its last replicas ({Count}) stay: {Problem}")]
        public static partial void Troubled(ILogger log, string model, int count, string problem);

        [LoggerMessage(Level = LogLevel.Information, Message = "model {Model}: the Kubernetes API is followed again")]
        public static partial void Recovered(ILogger log, string model);
    }
}
