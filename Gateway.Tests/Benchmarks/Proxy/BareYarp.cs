using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Benchmarks.Proxy;

/// <summary>YARP's forwarder and nothing else, on the server settings of the gateway.</summary>
internal static class BareYarp
{
    public static async Task<int> RunAsync(int port, Uri backend)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Services.AddRouting();
        builder.Services.AddHttpForwarder();
        await using var app = builder.Build();
        app.MapForwarder("/{**rest}", backend.AbsoluteUri.TrimEnd('/'));
        await app.RunAsync();
        return 0;
    }
}
