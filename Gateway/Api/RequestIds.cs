using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace Gateway.Api;

/// <summary>Makes ids for requests that brought none: 128 random bits each, in 32 hexadecimal digits. Thread-safe.</summary>
internal static class RequestIds
{
    private const int IdBytes = 16;

    // Random bytes of the system for each id would cost more than reading all headers of a request.
    private const int IdsPerDraw = 64;

    [ThreadStatic]
    private static byte[]? _drawn;

    [ThreadStatic]
    private static int _used;

    /// <summary>The id of a request that is answered here: what its answer says already, else what its client says, else a new one; from now on its answer says it.</summary>
    public static string Of(HttpContext http)
    {
        if (http.Response.Headers["x-request-id"] is [{ Length: > 0 } known])
        {
            return known;
        }
        var id = HeaderFacts.RequestId(http.Request.Headers);
        http.Response.Headers["x-request-id"] = id;
        return id;
    }

    public static string Next()
    {
        var drawn = _drawn;
        if (drawn is null || _used == drawn.Length)
        {
            drawn = _drawn ??= new byte[IdsPerDraw * IdBytes];
            RandomNumberGenerator.Fill(drawn);
            _used = 0;
        }
        var id = Convert.ToHexStringLower(drawn, _used, IdBytes);
        _used += IdBytes;
        return id;
    }
}
