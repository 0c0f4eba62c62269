using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Gateway.Simulation.Serving;

namespace Gateway.Tests.Simulation.Serving;

/// <summary>Talks to one simulated engine in tests.</summary>
public sealed class EngineClient(SimulatedEngine engine) : IDisposable
{
    // Without a drain, a response that is given up closes its connection at once.
    public HttpClient Http { get; } = new(new SocketsHttpHandler { ResponseDrainTimeout = TimeSpan.Zero, MaxResponseDrainSize = 0 }) { BaseAddress = engine.Uri, Timeout = TimeSpan.FromSeconds(30) };

    public Task<HttpResponseMessage> SendAsync(string path, string body, CancellationToken cancellationToken = default)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    public async Task<JsonElement> PostJsonAsync(string path, string body)
    {
        using var response = await SendAsync(path, body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>The frames of a stream, each without the empty line that ends it.</summary>
    public async Task<List<string>> PostStreamAsync(string path, string body)
    {
        using var response = await SendAsync(path, body);
        Assert.Equal("text/event-stream; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        var text = await response.Content.ReadAsStringAsync();
        Assert.EndsWith("\n\n", text, StringComparison.Ordinal);
        return [.. text[..^2].Split("\n\n")];
    }

    public Task<string> GetAsync(string path) => Http.GetStringAsync(new Uri(path, UriKind.Relative));

    public void Dispose() => Http.Dispose();
}
