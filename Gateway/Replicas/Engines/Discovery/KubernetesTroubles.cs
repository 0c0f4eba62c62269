using System.Net;
using System.Net.Http;
using System.Security.Authentication;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>Says in the log what hinders the watch of one model, once until it is over or another thing does. Not thread-safe.</summary>
internal sealed partial class KubernetesTroubles(string model, string credentialsPath, ILogger log)
{
    private string? _complaint;
    private bool _isEmpty;

    /// <summary>A question failed.</summary>
    /// <param name="trouble">Why.</param>
    /// <param name="replicas">How many stay.</param>
    public void Failed(Exception trouble, int replicas)
    {
        var complaint = WordsFor(trouble);
        if (complaint != _complaint)
        {
            _complaint = complaint;
            Log.Troubled(log, model, replicas, complaint);
        }
    }

    /// <summary>The server answers.</summary>
    public void Recovered()
    {
        if (_complaint is not null)
        {
            _complaint = null;
            Log.Recovered(log, model);
        }
    }

    /// <summary>What the slices hold now: with a wrong name in the settings, nothing at all.</summary>
    public void Found(int replicas, int slices)
    {
        if (replicas == 0 && !_isEmpty)
        {
            Log.Empty(log, model, slices);
        }
        _isEmpty = replicas == 0;
    }

    private string WordsFor(Exception trouble) => trouble switch
    {
        HttpRequestException { StatusCode: HttpStatusCode.Forbidden } => "the server answered 403: the service account needs get, list and watch on endpointslices",
        HttpRequestException { StatusCode: HttpStatusCode.Unauthorized } => $"the server answered 401: it does not accept the token in {credentialsPath}",
        HttpRequestException { InnerException: AuthenticationException untrusted } => untrusted.Message,
        OperationCanceledException => "no answer in time",
        JsonException or KeyNotFoundException or InvalidOperationException => $"the answer is not about EndpointSlices: {trouble.Message}",
        _ => trouble.Message,
    };

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "model {Model}: the Kubernetes API cannot be followed, its last replicas ({Count}) stay: {Problem}")]
        public static partial void Troubled(ILogger log, string model, int count, string problem);

        [LoggerMessage(Level = LogLevel.Information, Message = "model {Model}: the Kubernetes API is followed again")]
        public static partial void Recovered(ILogger log, string model);

        [LoggerMessage(Level = LogLevel.Warning, Message = "model {Model}: the {Slices} EndpointSlices that match have no ready endpoint with the port. Correct service, labelSelector, namespace or port, or start what they name")]
        public static partial void Empty(ILogger log, string model, int slices);
    }
}
