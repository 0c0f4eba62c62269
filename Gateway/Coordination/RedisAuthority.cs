using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.Coordination;

/// <summary>Trusts a Redis whose certificate was signed by authorities of one's own, and no other. Immutable.</summary>
internal sealed class RedisAuthority
{
    private readonly X509Certificate2Collection _roots;

    private RedisAuthority(X509Certificate2Collection roots) => _roots = roots;

    /// <summary>The authorities of a PEM text; null: there is none in it.</summary>
    public static RedisAuthority? Read(string pem)
    {
        var roots = new X509Certificate2Collection();
        try
        {
            roots.ImportFromPem(pem);
        }
        catch (CryptographicException)
        {
            return null;
        }
        return roots.Count == 0 ? null : new RedisAuthority(roots);
    }

    /// <summary>Whether a server may be talked to: its certificate is of these authorities and for the name that was asked.</summary>
    /// <param name="certificate">What it showed.</param>
    /// <param name="sent">The chain that came with it; null: none.</param>
    /// <param name="errors">What is wrong by the system's own authorities.</param>
    public bool Trusts(X509Certificate? certificate, X509Chain? sent, SslPolicyErrors errors)
    {
        if (certificate is null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
        {
            return false;
        }
        using var chain = new X509Chain
        {
            ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck },
        };
        // The certificate must be meant for servers. The system checks that too, but as a chain error, and chain errors are ignored here.
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1"));
        chain.ChainPolicy.CustomTrustStore.AddRange(_roots);
        if (sent is not null)
        {
            chain.ChainPolicy.ExtraStore.AddRange(sent.ChainPolicy.ExtraStore);
        }
        using var shown = X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
        return chain.Build(shown);
    }
}
