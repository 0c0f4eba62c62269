using System.Security.Cryptography;

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
