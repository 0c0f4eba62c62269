using System.Net;
using Gateway.Api;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Gateway;

/// <summary>Opens the addresses of the configuration, with the limits of one client.</summary>
internal static class Listeners
{
    // Kestrel counts a chunked body with its framing, so its limit is wider; RequestBytes applies the exact one to the body's own bytes.
    private const int RoomForChunkFrames = 8;

    /// <param name="kestrel">The server.</param>
    /// <param name="listen">Addresses and limits.</param>
    /// <param name="certificates">What handshakes are made with, asked for at each.</param>
    public static void Open(KestrelServerOptions kestrel, Api.ListenOptions listen, Func<ServerCertificates> certificates)
    {
        var limits = kestrel.Limits;
        limits.MaxRequestBodySize = RoomForChunkFrames * listen.MaxBodyBytes;
        limits.MaxConcurrentConnections = listen.MaxConnections;
        limits.MaxRequestHeadersTotalSize = listen.MaxHeaderBytes;
        limits.MaxRequestLineSize = Math.Min(limits.MaxRequestLineSize, listen.MaxHeaderBytes);
        limits.RequestHeadersTimeout = listen.HeadersTimeout;
        limits.MinRequestBodyDataRate = Rate(listen.MinUploadBytesPerSecond, listen.SlowClientGrace);
        limits.MinResponseDataRate = Rate(listen.MinDownloadBytesPerSecond, listen.SlowClientGrace);
        foreach (var url in listen.Urls)
        {
            Open(kestrel, url, isOps: false, certificates);
        }
        if (listen.Ops is { } ops)
        {
            Open(kestrel, ops, isOps: true, certificates);
        }
    }

    /// <summary>Whether a request came to the address of the ops endpoints.</summary>
    public static bool IsOps(HttpContext http) => http.Features.Get<OpsAddress>() is not null;

    private static void Open(KestrelServerOptions kestrel, string url, bool isOps, Func<ServerCertificates> certificates)
    {
        var address = BindingAddress.Parse(url);
        if (IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip))
        {
            kestrel.Listen(ip, address.Port, Configure);
        }
        else if (address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase))
        {
            kestrel.ListenLocalhost(address.Port, Configure);
        }
        else
        {
            kestrel.ListenAnyIP(address.Port, Configure);
        }

        void Configure(Microsoft.AspNetCore.Server.Kestrel.Core.ListenOptions endpoint)
        {
            if (isOps)
            {
                endpoint.Use(next => connection =>
                {
                    connection.Features.Set(OpsAddress.Mark);
                    return next(connection);
                });
            }
            if (address.Scheme == Uri.UriSchemeHttps)
            {
                endpoint.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(certificates().ForHandshake()) });
            }
        }
    }

    private static MinDataRate? Rate(int bytesPerSecond, TimeSpan grace) => bytesPerSecond == 0 ? null : new MinDataRate(bytesPerSecond, grace);

    private sealed class OpsAddress
    {
        public static readonly OpsAddress Mark = new();
    }
}
