using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Gateway.Api;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.EndToEnd;

/// <summary>TLS in the gateway itself: its certificate, clients' certificates, and new ones while it runs.</summary>
public sealed class TlsTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("gateway-tls-").FullName;
    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("""{"id":"c"}"""));
    private readonly CapturedLogs _logs = new();
    private GatewayWorld? _world;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_world is not null)
        {
            await _world.DisposeAsync();
        }
        await _engine.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Https_WithACertificate_ServesOverHttp1AndHttp2()
    {
        WriteServer(Issue("first"));
        await StartAsync();

        Assert.Equal("CN=first", await ShownAsync());
        using var client = Client(null);
        foreach (var version in new[] { System.Net.HttpVersion.Version11, System.Net.HttpVersion.Version20 })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models") { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using var response = await client.SendAsync(request);
            Assert.Equal((200, version), ((int)response.StatusCode, response.Version));
        }
    }

    [Fact]
    public async Task Certificate_ThatChanges_IsTakenOverAndABadOneIsNot()
    {
        WriteServer(Issue("first"));
        await StartAsync();
        Assert.Equal("CN=first", await ShownAsync());

        WriteServer(Issue("second"));
        await Until.HoldsAsync(() => ShownAsync().Result == "CN=second", "the new certificate is shown");

        await File.WriteAllTextAsync(Path.Combine(_folder, "tls.key"), "no key at all");
        await Until.HoldsAsync(() => _logs.Lines.Any(line => line.Level == LogLevel.Error), "the bad key is logged");
        Assert.Contains("listen.tls.key", _logs.Lines.First(line => line.Level == LogLevel.Error).Text, StringComparison.Ordinal);
        Assert.Equal("CN=second", await ShownAsync());
    }

    [Fact]
    public async Task Client_WithoutACertificateOfTheAuthority_IsRefused()
    {
        using var authority = Authority("clients");
        using var stranger = Authority("strangers");
        WriteServer(Issue("server"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "ca.crt"), authority.ExportCertificatePem());
        await StartAsync(Path.Combine(_folder, "ca.crt"));

        using var known = Client(Issue("client", authority));
        using var unknown = Client(Issue("client", stranger));
        using var none = Client(null);

        Assert.Equal(200, (int)(await known.GetAsync("/v1/models")).StatusCode);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => unknown.GetAsync("/v1/models"));
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => none.GetAsync("/v1/models"));
    }

    [Fact]
    public void Read_OfAKeyOfAnotherCertificate_SaysSo()
    {
        using var one = Issue("one");
        using var other = Issue("other");

        Assert.Null(ServerCertificates.Read(one.ExportCertificatePem(), other.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(), null, out var problem));
        Assert.Equal(TlsFile.Key, problem!.Value.File);
        Assert.Null(ServerCertificates.Read(one.ExportCertificatePem(), one.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(), "none", out problem));
        Assert.Equal(TlsFile.ClientCa, problem!.Value.File);
    }

    [Fact]
    public async Task Start_WithoutItsCertificate_FailsWithTheReason()
    {
        var failed = await Assert.ThrowsAsync<IOException>(() => StartAsync());

        Assert.Contains("listen.tls.certificate: There is no such file.", failed.Message, StringComparison.Ordinal);
    }

    private async Task StartAsync(string? clientCa = null) => _world = await GatewayWorld.BeforeAsync(
        [_engine],
        options => options with
        {
            Listen = options.Listen with
            {
                Urls = ["https://127.0.0.1:0"],
                Tls = new TlsOptions { Certificate = Path.Combine(_folder, "tls.crt"), Key = Path.Combine(_folder, "tls.key"), ClientCa = clientCa },
            },
        },
        new ServerSettings { ConfigureLogging = logging => logging.AddProvider(_logs) });

    private HttpClient Client(X509Certificate2? certificate)
    {
        var handler = new SocketsHttpHandler { UseProxy = false, SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null } };
        if (certificate is not null)
        {
            handler.SslOptions.ClientCertificates = [certificate];
        }
        return new HttpClient(handler) { BaseAddress = new Uri(_world!.Server.Urls[0]) };
    }

    // The subject that a new connection is shown.
    private async Task<string?> ShownAsync()
    {
        var address = new Uri(_world!.Server.Urls[0]);
        using var tcp = new System.Net.Sockets.TcpClient();
        await tcp.ConnectAsync(address.Host, address.Port);
        await using var tls = new SslStream(tcp.GetStream());
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "gateway", RemoteCertificateValidationCallback = (_, shown, _, _) => shown is not null });
        return tls.RemoteCertificate?.Subject;
    }

    private void WriteServer(X509Certificate2 certificate)
    {
        File.WriteAllText(Path.Combine(_folder, "tls.crt"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_folder, "tls.key"), certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
    }

    private static X509Certificate2 Authority(string name)
    {
        var request = new CertificateRequest($"CN={name}", ECDsa.Create(ECCurve.NamedCurves.nistP256), HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        return request.CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(80));
    }

    private static X509Certificate2 Issue(string name, X509Certificate2? authority = null)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var (from, to) = (DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(79));
        if (authority is null)
        {
            return request.CreateSelfSigned(from, to);
        }
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
        using var bare = request.Create(authority, from, to, RandomNumberGenerator.GetBytes(8));
        using var bound = bare.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(bound.Export(X509ContentType.Pkcs12), null);
    }
}
