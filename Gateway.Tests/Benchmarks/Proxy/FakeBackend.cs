using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Benchmarks.Proxy;

/// <summary>An engine that needs no time: 1 KB of JSON, or 64 chunks of a stream, each flushed on its own. A body with <see cref="Paced"/> in it gets its chunks 12 ms apart.</summary>
internal static class FakeBackend
{
    public const string Model = "bench";
    public const string Paced = "\"pace\":true";
    private const int Chunks = 64;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(12);
    private static readonly byte[] PacedBytes = Encoding.UTF8.GetBytes(Paced);

    private static readonly byte[] Plain = Encoding.UTF8.GetBytes(
        $$$"""{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"{{{Model}}}","choices":[{"index":0,"message":{"role":"assistant","content":"{{{new string('x', 760)}}}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":150,"total_tokens":350}}""");

    private static readonly byte[] Chunk = Encoding.UTF8.GetBytes(
        $$$"""data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"{{{Model}}}","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}""" + "\n\n");

    private static readonly byte[] Done = "data: [DONE]\n\n"u8.ToArray();

    private static readonly byte[] Models = Encoding.UTF8.GetBytes($$$"""{"object":"list","data":[{"id":"{{{Model}}}","object":"model"}]}""");

    public static async Task<int> RunAsync(int port)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        await using var app = builder.Build();
        app.Run(AnswerAsync);
        await app.RunAsync();
        return 0;
    }

    private static async Task AnswerAsync(HttpContext http)
    {
        if (http.Request.Path != "/v1/chat/completions")
        {
            await JsonAsync(http, Models);
            return;
        }
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        if (!Has(body, "\"stream\":true"u8))
        {
            await JsonAsync(http, Plain);
            return;
        }
        var isPaced = Has(body, PacedBytes);
        http.Response.ContentType = "text/event-stream";
        for (var i = 0; i < Chunks; i++)
        {
            await http.Response.Body.WriteAsync(Chunk, http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
            if (isPaced)
            {
                await Task.Delay(Pace, http.RequestAborted);
            }
        }
        await http.Response.Body.WriteAsync(Done, http.RequestAborted);
    }

    private static bool Has(MemoryStream body, ReadOnlySpan<byte> text) => body.GetBuffer().AsSpan(0, (int)body.Length).IndexOf(text) >= 0;

    private static async Task JsonAsync(HttpContext http, byte[] json)
    {
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = json.Length;
        await http.Response.Body.WriteAsync(json, http.RequestAborted);
    }
}
