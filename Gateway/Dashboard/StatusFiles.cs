using System.Reflection;
using Microsoft.AspNetCore.Http;

namespace Gateway.Dashboard;

/// <summary>The status page's files, from inside the assembly. They hold no data: what the page shows comes from the feed, which asks for the key.</summary>
public static class StatusFiles
{
    // Content security policy: no scripts from elsewhere, none inline, and no embedding in other pages (clickjacking).
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly (string Path, string Resource, string Type)[] Known =
    [
        ("", "ui.page.html", "text/html; charset=utf-8"), ("page.css", "ui.page.css", "text/css; charset=utf-8"),
        ("page.js", "ui.page.js", "text/javascript; charset=utf-8"), ("charts.js", "ui.charts.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "ui.icon.svg", "image/svg+xml"),
    ];

    /// <summary>Each file's path below the page's own, and what serves it.</summary>
    public static IEnumerable<(string Path, RequestDelegate Serve)> All => Known.Select(file =>
    {
        var bytes = Read(file.Resource);
        return (file.Path, (RequestDelegate)(http => WriteAsync(http, bytes, file.Type)));
    });

    private static Task WriteAsync(HttpContext http, byte[] bytes, string type)
    {
        var response = http.Response;
        response.ContentType = type;
        response.ContentLength = bytes.Length;
        response.Headers.ContentSecurityPolicy = Policy;
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers["Referrer-Policy"] = "no-referrer";
        // The files change with the gateway, and are small.
        response.Headers.CacheControl = "no-cache";
        return HttpMethods.IsHead(http.Request.Method) ? Task.CompletedTask : response.Body.WriteAsync(bytes, http.RequestAborted).AsTask();
    }

    private static byte[] Read(string resource)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
