using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Gateway.Coordination;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Coordination;

/// <summary>Against a real redis-server that speaks TLS only, with a certificate of an authority that only the test knows.</summary>
public sealed class RedisTlsTests : SharedStateContract, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("redis-tls-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(null)]
    [InlineData("other.crt")]
    public async Task Post_ToAServerOfAnotherAuthority_Fails(string? caFile)
    {
        if (await StartAsync("127.0.0.1") is not { } redis)
        {
            return;
        }
        await using var _ = redis;
        await using var state = State(redis, caFile, "a", TimeSpan.FromSeconds(1));

        await Assert.ThrowsAnyAsync<Exception>(() => Post(state, "x", 1).AsTask().ComesAsync("a failure"));
    }

    [Fact]
    public async Task Post_ToAServerOfAnotherName_Fails()
    {
        if (await StartAsync("127.0.0.2") is not { } redis)
        {
            return;
        }
        await using var _ = redis;
        await using var state = State(redis, "ca.crt", "a", TimeSpan.FromSeconds(1));

        await Assert.ThrowsAnyAsync<Exception>(() => Post(state, "x", 1).AsTask().ComesAsync("a failure"));
    }

    protected override async Task WithTwoAsync(Func<ISharedState, ISharedState, Task> test)
    {
        if (await StartAsync("127.0.0.1") is not { } redis)
        {
            return;
        }
        await using var _ = redis;
        await using var a = State(redis, "ca.crt", "a", TimeSpan.FromSeconds(10));
        await using var b = State(redis, "ca.crt", "b", TimeSpan.FromSeconds(10));
        await test(a, b);
    }

    private RedisState State(RedisServer redis, string? caFile, string gateway, TimeSpan timeout)
    {
        var path = caFile is null ? null : Path.Combine(_folder, caFile);
        return new RedisState(new RedisOptions { Servers = [redis.Endpoint], Tls = true, CaFile = path, Timeout = timeout }, null, gateway, TimeProvider.System);
    }

    private Task<RedisServer?> StartAsync(string address)
    {
        using var ca = Authority("ca.crt");
        Authority("other.crt").Dispose();
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=redis", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Parse(address));
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(ca, ca.NotBefore, ca.NotAfter, [1, 2, 3]);
        var (certificateFile, keyFile) = (Path.Combine(_folder, "redis.crt"), Path.Combine(_folder, "redis.key"));
        File.WriteAllText(certificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        return RedisServer.TryStartAsync(
            $"--tls-cert-file {certificateFile} --tls-key-file {keyFile} --tls-ca-cert-file {Path.Combine(_folder, "ca.crt")} --tls-auth-clients no", isTls: true);
    }

    private X509Certificate2 Authority(string file)
    {
        var request = new CertificateRequest($"CN={file}", RSA.Create(2048), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var authority = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        File.WriteAllText(Path.Combine(_folder, file), authority.ExportCertificatePem());
        return authority;
    }
}
