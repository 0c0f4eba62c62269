using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary>Speech to text, whose upload is counted as it streams past and never held, and text to speech.</summary>
internal static class AudioEndpoints
{
    private static readonly byte[] Silence = "RIFF$\0\0\0WAVEfmt \u0010\0\0\0\u0001\0\u0001\0@\u001f\0\0@\u001f\0\0\u0001\0\u0008\0data\0\0\0\0"u8.ToArray();

    /// <summary><c>/v1/audio/transcriptions</c> and <c>/translations</c>: the text tells how many bytes came for which model.</summary>
    public static async Task TranscribeAsync(EngineServer server, HttpContext http, EngineFaults faults, bool fails)
    {
        var upload = await ReadUploadAsync(http);
        if (await FaultyAnswers.TryAnswerAsync(http, faults, fails))
        {
            return;
        }

        if (upload is not { } read || read.FileBytes is not { } bytes)
        {
            await EngineError.BadRequest("The body must be multipart/form-data with a part named file.", "file").WriteAsync(http);
            return;
        }

        var model = read.Model ?? server.Options.Models[0];
        if (!server.Options.Models.Contains(model, StringComparer.Ordinal))
        {
            await EngineError.NoSuchModel(model).WriteAsync(http);
            return;
        }

        var text = string.Create(CultureInfo.InvariantCulture, $"Received {bytes} bytes for {model}.");
        if (read.Format == "text")
        {
            http.Response.ContentType = "text/plain; charset=utf-8";
            await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text), http.RequestAborted);
            return;
        }

        http.Response.ContentType = "application/json";
        await http.Response.Body.WriteAsync(JsonBytes.Of(json =>
        {
            json.WriteStartObject();
            json.WriteString("text", text);
            json.WriteEndObject();
        }), http.RequestAborted);
    }

    /// <summary><c>/v1/audio/speech</c>: a WAV file with no sound in it.</summary>
    public static Task SpeakAsync(EngineCall call)
    {
        call.Http.Response.ContentType = "audio/wav";
        call.Http.Response.ContentLength = Silence.Length;
        return call.Http.Response.Body.WriteAsync(Silence, call.Aborted).AsTask();
    }

    private static async Task<(long? FileBytes, string? Model, string? Format)?> ReadUploadAsync(HttpContext http)
    {
        if (!MediaTypeHeaderValue.TryParse(http.Request.ContentType, out var type) || type.MediaType != "multipart/form-data" || HeaderUtilities.RemoveQuotes(type.Boundary).Value is not { Length: > 0 } boundary)
        {
            return null;
        }

        (long? FileBytes, string? Model, string? Format) upload = default;
        var parts = new MultipartReader(boundary, http.Request.Body);
        try
        {
            while (await parts.ReadNextSectionAsync(http.RequestAborted) is { } part)
            {
                var name = part.GetContentDispositionHeader()?.Name.Value?.Trim('"');
                if (name == "file")
                {
                    upload.FileBytes = await CountAsync(part.Body, http.RequestAborted);
                }
                else if (name is "model" or "response_format")
                {
                    var value = await part.ReadAsStringAsync(http.RequestAborted);
                    upload = name == "model" ? upload with { Model = value } : upload with { Format = value };
                }
            }
        }
        catch (Exception broken) when (broken is InvalidDataException or IOException)
        {
            // Not a form, or one that ends before its last boundary.
            return null;
        }

        return upload;
    }

    private static async Task<long> CountAsync(Stream stream, CancellationToken cancellationToken)
    {
        var buffer = new byte[16_384];
        var total = 0L;
        while (await stream.ReadAsync(buffer, cancellationToken) is var read and > 0)
        {
            total += read;
        }

        return total;
    }
}
