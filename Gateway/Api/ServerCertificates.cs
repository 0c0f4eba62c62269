using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.Api;

/// <summary>What the gateway shows to clients, and whose certificates it asks of them. Immutable; read by every handshake.</summary>
public sealed class ServerCertificates
{
    private readonly SslStreamCertificateContext _own;
    private readonly X509Certificate2Collection? _clientAuthorities;

    private ServerCertificates(SslStreamCertificateContext own, X509Certificate2Collection? clientAuthorities) =>
        (_own, _clientAuthorities) = (own, clientAuthorities);

    /// <summary>When the gateway's own certificate ends.</summary>
    public DateTime NotAfter => _own.TargetCertificate.NotAfter;

    /// <summary>Reads PEM texts.</summary>
    /// <param name="certificate">The certificate and what stands between it and its root.</param>
    /// <param name="key">Its private key.</param>
    /// <param name="clientAuthorities">Who signs clients' certificates; null: none are asked for.</param>
    /// <param name="problem">Where nothing is returned: which text is wrong, and how.</param>
    public static ServerCertificates? Read(string certificate, string key, string? clientAuthorities, out (TlsFile File, string What)? problem)
    {
        problem = null;
        try
        {
            var chain = Import(certificate);
            var authorities = clientAuthorities is null ? null : Import(clientAuthorities);
            if (chain.Count == 0 || authorities is { Count: 0 })
            {
                problem = (chain.Count == 0 ? TlsFile.Certificate : TlsFile.ClientCa, "the file holds no certificate in PEM form.");
                return null;
            }
            using var bound = X509Certificate2.CreateFromPem(certificate, key);
            // On Windows, TLS cannot use a private key that only exists in memory: exporting and loading again puts it into a store.
            var own = X509CertificateLoader.LoadPkcs12(bound.Export(X509ContentType.Pkcs12), password: null);
            chain.RemoveAt(0);
            return new ServerCertificates(SslStreamCertificateContext.Create(own, chain, offline: true), authorities);
        }
        catch (Exception wrong) when (wrong is CryptographicException or ArgumentException)
        {
            problem = (TlsFile.Key, "the key is not in PEM form, is encrypted, or does not belong to the certificate.");
            return null;
        }
    }

    /// <summary>What one handshake is made with.</summary>
    public SslServerAuthenticationOptions ForHandshake()
    {
        var options = new SslServerAuthenticationOptions { ServerCertificateContext = _own };
        if (_clientAuthorities is not null)
        {
            options.ClientCertificateRequired = true;
            options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(_clientAuthorities);
            options.RemoteCertificateValidationCallback = static (_, _, _, errors) => errors == SslPolicyErrors.None;
        }
        return options;
    }

    private static X509Certificate2Collection Import(string pem)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(pem);
        }
        catch (CryptographicException)
        {
            // Unreadable is treated as empty; the caller reports it.
            certificates.Clear();
        }
        return certificates;
    }
}

/// <summary>The files that certificates come from.</summary>
public enum TlsFile
{
    Certificate,
    Key,
    ClientCa,
}
