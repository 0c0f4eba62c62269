using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Fakes;

/// <summary>An API server with EndpointSlices behind https: lists in pages, watches, forgets versions, refuses and goes away as a test says. Its credentials folder looks like a pod's.</summary>
internal sealed class FakeKubernetes : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, JsonObject> _slices = [];
    private readonly List<Channel<string>> _watches = [];
    private readonly WebApplication _app;
    private int _version = 100;

    private FakeKubernetes(WebApplication app, string credentials)
    {
        (_app, Credentials) = (app, credentials);
        app.Run(AnswerAsync);
    }

    public Uri Uri => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First().Replace("127.0.0.1", "localhost", StringComparison.Ordinal));

    /// <summary>Holds token, ca.crt and namespace.</summary>
    public string Credentials { get; }

    /// <summary>Path and query of every question, with its token.</summary>
    public ConcurrentQueue<(string Query, string? Token)> Asked { get; } = new();

    /// <summary>Status of every answer; 200: as it should be.</summary>
    public int Status { get; set; } = 200;

    /// <summary>Versions before this one are too old for a watch.</summary>
    public int OldestVersion { get; set; }

    /// <summary>Watches end as soon as they are open.</summary>
    public bool EndsWatches { get; set; }

    /// <summary>Watches get no answer.</summary>
    public bool HangsWatches { get; set; }

    /// <summary>Slices on a page.</summary>
    public int PageItems { get; set; } = 500;

    public int OpenWatches
    {
        get
        {
            lock (_gate)
            {
                return _watches.Count;
            }
        }
    }

    public int Version => Volatile.Read(ref _version);

    public static async Task<FakeKubernetes> StartAsync()
    {
        var credentials = Directory.CreateTempSubdirectory("gateway-kubernetes-").FullName;
        var certificate = Certificate();
        await File.WriteAllTextAsync(Path.Combine(credentials, "ca.crt"), certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(Path.Combine(credentials, "token"), "first\n");
        await File.WriteAllTextAsync(Path.Combine(credentials, "namespace"), "llm");
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        var fake = new FakeKubernetes(builder.Build(), credentials);
        await fake._app.StartAsync();
        return fake;
    }

    /// <summary>Puts a slice there or changes it, and tells the watches.</summary>
    public void Set(JsonObject slice)
    {
        lock (_gate)
        {
            var name = slice["metadata"]!["name"]!.GetValue<string>();
            slice["metadata"]!["resourceVersion"] = (++_version).ToString(CultureInfo.InvariantCulture);
            var type = _slices.ContainsKey(name) ? "MODIFIED" : "ADDED";
            _slices[name] = slice;
            TellLocked(type, slice);
        }
    }

    public void Remove(string name)
    {
        lock (_gate)
        {
            _slices.Remove(name, out var gone);
            gone!["metadata"]!["resourceVersion"] = (++_version).ToString(CultureInfo.InvariantCulture);
            TellLocked("DELETED", gone);
        }
    }

    /// <summary>Sends every watch a line as it stands, and ends them where the line is null.</summary>
    public void Tell(string? line)
    {
        lock (_gate)
        {
            foreach (var watch in _watches)
            {
                _ = line is null ? watch.Writer.TryComplete() : watch.Writer.TryWrite(line);
            }
        }
    }

    /// <summary>Breaks the connection of every watch.</summary>
    public void Cut()
    {
        lock (_gate)
        {
            _watches.ForEach(watch => watch.Writer.TryComplete(new IOException("cut")));
        }
    }

    /// <summary>Goes on from an older state: versions after this one are not known any more.</summary>
    public void Restore(int version) => Volatile.Write(ref _version, version);

    /// <summary>A slice of the service <c>vllm</c> with one ready endpoint per address; <c>!</c> behind it: terminating, <c>?</c>: not ready.</summary>
    public static JsonObject Slice(string name, params string[] addresses) => new()
    {
        ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = "vllm" } },
        ["addressType"] = addresses.Any(address => address.Contains(':', StringComparison.Ordinal)) ? "IPv6" : "IPv4",
        ["ports"] = new JsonArray(new JsonObject { ["name"] = "metrics", ["port"] = 9000 }, new JsonObject { ["name"] = "http", ["port"] = 8000 }),
        ["endpoints"] = new JsonArray([.. addresses.Select(address => new JsonObject
        {
            ["addresses"] = new JsonArray(address.TrimEnd('!', '?')),
            ["conditions"] = new JsonObject { ["ready"] = !address.EndsWith('!') && !address.EndsWith('?'), ["terminating"] = address.EndsWith('!') },
            ["zone"] = "a",
        })]),
    };

    public async ValueTask DisposeAsync()
    {
        Tell(null);
        await _app.DisposeAsync();
        Directory.Delete(Credentials, recursive: true);
    }

    private void TellLocked(string type, JsonObject slice)
    {
        var line = new JsonObject { ["type"] = type, ["object"] = slice.DeepClone() }.ToJsonString();
        foreach (var watch in _watches)
        {
            watch.Writer.TryWrite(line);
        }
    }

    private async Task AnswerAsync(HttpContext http)
    {
        Asked.Enqueue((http.Request.Path + http.Request.QueryString, http.Request.Headers.Authorization));
        var query = http.Request.Query;
        if (Status != 200)
        {
            http.Response.StatusCode = Status;
        }
        else if (query.ContainsKey("watch"))
        {
            await WatchAsync(http, int.Parse(query["resourceVersion"]!, CultureInfo.InvariantCulture));
        }
        else
        {
            await http.Response.WriteAsync(List(int.TryParse(query["continue"], out var from) ? from : 0).ToJsonString());
        }
    }

    private JsonObject List(int from)
    {
        lock (_gate)
        {
            var items = _slices.Values.Skip(from).Take(PageItems).Select(slice => slice.DeepClone()).ToArray();
            var rest = from + items.Length < _slices.Count ? (from + items.Length).ToString(CultureInfo.InvariantCulture) : "";
            return new()
            {
                ["metadata"] = new JsonObject { ["resourceVersion"] = _version.ToString(CultureInfo.InvariantCulture), ["continue"] = rest },
                ["items"] = new JsonArray(items),
            };
        }
    }

    private async Task WatchAsync(HttpContext http, int version)
    {
        if (HangsWatches)
        {
            await Task.Delay(Timeout.Infinite, http.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }
        if (version < OldestVersion || version > Version)
        {
            http.Response.StatusCode = version < OldestVersion ? 410 : 504;
            return;
        }
        var lines = Channel.CreateUnbounded<string>();
        lock (_gate)
        {
            foreach (var missed in _slices.Values.Where(slice => int.Parse(slice["metadata"]!["resourceVersion"]!.GetValue<string>(), CultureInfo.InvariantCulture) > version))
            {
                lines.Writer.TryWrite(new JsonObject { ["type"] = "MODIFIED", ["object"] = missed.DeepClone() }.ToJsonString());
            }
            _watches.Add(lines);
        }
        try
        {
            await http.Response.Body.FlushAsync();
            if (EndsWatches)
            {
                return;
            }
            await foreach (var line in lines.Reader.ReadAllAsync(http.RequestAborted))
            {
                await http.Response.WriteAsync(line + "\n");
                await http.Response.Body.FlushAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // The watcher left.
        }
        catch (IOException)
        {
            http.Abort();
        }
        finally
        {
            lock (_gate)
            {
                _watches.Remove(lines);
            }
        }
    }

    private static X509Certificate2 Certificate()
    {
        var request = new CertificateRequest("CN=localhost", ECDsa.Create(ECCurve.NamedCurves.nistP256), HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(80));
    }
}
