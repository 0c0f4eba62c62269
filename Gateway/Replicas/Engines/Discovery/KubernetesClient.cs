using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>Asks the API server for EndpointSlices. One for a short while: certificates are read when it is made, the token for each question.</summary>
internal sealed class KubernetesClient : IDisposable
{
    private const int PageItems = 500;
    private const int MaxPages = 100;
    private const int MaxPageBytes = 32 << 20;
    private const int MaxTokenBytes = 64 << 10;

    private readonly HttpClient _http;
    private readonly Uri _server;
    private readonly string _slices;
    private readonly string _tokenPath;

    private KubernetesClient(HttpClient http, Uri server, string slices, string tokenPath) =>
        (_http, _server, _slices, _tokenPath) = (http, server, slices, tokenPath);

    /// <param name="options">Where the server and the slices are.</param>
    /// <param name="environment">Names the cluster's server where the options do not.</param>
    /// <exception cref="IOException">No server or namespace is known, or the certificates cannot be read.</exception>
    public static KubernetesClient Open(KubernetesOptions options, Func<string, string?> environment)
    {
        var server = options.ApiServer ?? InCluster(environment)
            ?? throw new IOException("not in a cluster (KUBERNETES_SERVICE_HOST is not set), and apiServer is not configured");
        var space = options.Namespace ?? ReadSmall(Path.Combine(options.CredentialsPath, "namespace"))
            ?? throw new IOException($"no namespace is configured, and {options.CredentialsPath} holds none");
        List<string> labels = options.Service is { } service ? [$"kubernetes.io/service-name={service}"] : [];
        if (options.LabelSelector is { } selector)
        {
            labels.Add(selector);
        }
        var path = $"apis/discovery.k8s.io/v1/namespaces/{Uri.EscapeDataString(space)}/endpointslices?labelSelector={Uri.EscapeDataString(string.Join(',', labels))}";
        return new KubernetesClient(HttpTo(options), server, path, Path.Combine(options.CredentialsPath, "token"));
    }

    /// <summary>All slices, page by page; a page is thrown away when it was looked at.</summary>
    /// <returns>The version that a watch goes on from.</returns>
    /// <exception cref="HttpRequestException">No answer, or one that is no success.</exception>
    public async Task<string> ListAsync(Action<JsonElement> slice, CancellationToken cancellationToken)
    {
        string? next = null;
        for (var page = 0; page < MaxPages; page++)
        {
            using var request = Ask($"&limit={PageItems}{(next is null ? "" : "&continue=" + Uri.EscapeDataString(next))}");
            using var response = Success(await _http.SendAsync(request, cancellationToken));
            using var list = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken));
            foreach (var item in list.RootElement.GetProperty("items").EnumerateArray())
            {
                slice(item);
            }
            var metadata = list.RootElement.GetProperty("metadata");
            next = metadata.TryGetProperty("continue", out var token) ? token.GetString() : null;
            if (string.IsNullOrEmpty(next))
            {
                return metadata.GetProperty("resourceVersion").GetString() ?? "";
            }
        }
        throw new IOException($"the server lists more than {MaxPages * PageItems} slices; choose fewer with service or labelSelector");
    }

    /// <summary>Opens a watch: one JSON object a line, until the server ends it.</summary>
    /// <param name="version">Changes after this one are told.</param>
    /// <param name="seconds">How long the server may keep it open.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    /// <exception cref="HttpRequestException">No answer, or one that is no success; 410: the version is too old, list again.</exception>
    public async Task<HttpResponseMessage> WatchAsync(string version, int seconds, CancellationToken cancellationToken)
    {
        using var request = Ask($"&watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={Uri.EscapeDataString(version)}");
        return Success(await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken));
    }

    public void Dispose() => _http.Dispose();

    private static HttpResponseMessage Success(HttpResponseMessage response)
    {
        if (!response.IsSuccessStatusCode)
        {
            response.Dispose();
            throw new HttpRequestException($"the server answered {(int)response.StatusCode}", null, response.StatusCode);
        }
        return response;
    }

    private HttpRequestMessage Ask(string query)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_server, _slices + query))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        if (_server.Scheme == Uri.UriSchemeHttps && ReadSmall(_tokenPath) is { Length: > 0 } token)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
        return request;
    }

    private static Uri? InCluster(Func<string, string?> environment)
    {
        if (environment("KUBERNETES_SERVICE_HOST") is not { Length: > 0 } host)
        {
            return null;
        }
        var port = environment("KUBERNETES_SERVICE_PORT") is { Length: > 0 } given ? given : "443";
        return new Uri(host.Contains(':', StringComparison.Ordinal) ? $"https://[{host}]:{port}/" : $"https://{host}:{port}/");
    }

    private static HttpClient HttpTo(KubernetesOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(5),
            // A watch is silent for minutes: without keep-alive pings a dead connection would look like one on which nothing happens.
            KeepAlivePingDelay = TimeSpan.FromSeconds(20),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ActivityHeadersPropagator = null,
        };
        if (ReadSmall(Path.Combine(options.CredentialsPath, "ca.crt")) is { } authority)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            try
            {
                policy.CustomTrustStore.ImportFromPem(authority);
            }
            catch (CryptographicException broken)
            {
                throw new IOException($"{options.CredentialsPath}/ca.crt holds no certificate", broken);
            }
            handler.SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = policy };
        }
        return new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = MaxPageBytes };
    }

    // Null where there is no such file: a server behind a proxy of its own needs neither token nor authority.
    private static string? ReadSmall(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
        {
            return null;
        }
        return file.Length <= MaxTokenBytes ? File.ReadAllText(path).Trim() : throw new IOException($"{path} is too large");
    }
}
