using System.Globalization;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Gateway.Simulation.Serving;

/// <summary>The answers of an engine that fails before it begins.</summary>
internal static class FaultyAnswers
{
    private const int EndlessChunks = 1_024;

    /// <summary>Gives the wrong answer that the faults ask for; false when they ask for none.</summary>
    public static async Task<bool> TryAnswerAsync(HttpContext http, EngineFaults faults, bool fails)
    {
        if (faults.RefuseStatus is { } status)
        {
            if (faults.RetryAfter is { } after)
            {
                http.Response.Headers.RetryAfter = after;
            }

            await new EngineError(status, "ServiceUnavailableError", "The engine refuses on purpose, status " + status.ToString(CultureInfo.InvariantCulture)).WriteAsync(http);
            return true;
        }

        if (fails)
        {
            await new EngineError(500, "InternalServerError", "The engine failed on purpose.").WriteAsync(http);
            return true;
        }

        if (faults.EndlessHeader)
        {
            await WriteEndlessHeaderAsync(http);
            return true;
        }

        if (faults.NonsenseBody || faults.WrongLength)
        {
            http.Response.ContentType = "application/json";
            http.Response.ContentLength = faults.WrongLength ? 100_000 : null;
            await http.Response.Body.WriteAsync("<html>this is not the JSON you are looking for"u8.ToArray(), http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
            if (faults.WrongLength)
            {
                await DieAsync(http);
            }

            return true;
        }

        return false;
    }

    /// <summary>Closes the connection as a dying process does: what was written arrives, and then nothing. Ends cancelled.</summary>
    public static async Task DieAsync(HttpContext http)
    {
        // An abort would reset the connection, and take back bytes that the client has not read yet.
        if (http.Features.Get<IConnectionTransportFeature>() is { } connection)
        {
            await connection.Transport.Output.CompleteAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
        }

        http.Abort();
    }

    private static async Task WriteEndlessHeaderAsync(HttpContext http)
    {
        if (http.Features.Get<IConnectionTransportFeature>() is { } connection)
        {
            var chunk = new byte[8_192];
            chunk.AsSpan().Fill((byte)'a');
            await connection.Transport.Output.WriteAsync("HTTP/1.1 200 OK\r\nx-endless: "u8.ToArray(), http.RequestAborted);
            for (var sent = 0; sent < EndlessChunks; sent++)
            {
                await connection.Transport.Output.WriteAsync(chunk, http.RequestAborted);
            }

            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
        }

        http.Abort();
    }
}
