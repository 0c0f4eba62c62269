using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary>The routes that are asked about the engine rather than for work: models, health, version, metrics.</summary>
internal static class ModelEndpoints
{
    private const long CreatedSeconds = 1_700_000_000;

    /// <summary>Answers a GET of one of these routes; false for any other path.</summary>
    public static async Task<bool> TryAnswerAsync(EngineServer server, HttpContext http, string path)
    {
        switch (path)
        {
            case "/health" or "/ping":
                await HangIfAskedAsync(server, http);
                http.Response.StatusCode = server.Faults.FailHealth ? 503 : 200;
                return true;
            case "/metrics":
                await HangIfAskedAsync(server, http);
                http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
                await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(server.Metrics.Page()), http.RequestAborted);
                return true;
            case "/version":
                await WriteAsync(http, json => json.WriteString("version", "0.19.0"));
                return true;
            default:
                return await TryAnswerModelsAsync(server, http, path);
        }
    }

    private static async Task<bool> TryAnswerModelsAsync(EngineServer server, HttpContext http, string path)
    {
        if (path == "/v1/models" && server.IsAuthorised(http.Request, path))
        {
            await WriteAsync(http, json =>
            {
                json.WriteString("object", "list");
                json.WriteStartArray("data");
                foreach (var model in server.Options.Models)
                {
                    json.WriteStartObject();
                    WriteModel(json, server, model);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            });
            return true;
        }

        const string One = "/v1/models/";
        if (path.StartsWith(One, StringComparison.Ordinal) && server.IsAuthorised(http.Request, path) && server.Options.Models.Contains(path[One.Length..], StringComparer.Ordinal))
        {
            await WriteAsync(http, json => WriteModel(json, server, path[One.Length..]));
            return true;
        }

        return false;
    }

    private static void WriteModel(Utf8JsonWriter json, EngineServer server, string model)
    {
        json.WriteString("id", model);
        json.WriteString("object", "model");
        json.WriteNumber("created", CreatedSeconds);
        json.WriteString("owned_by", "vllm");
        json.WriteString("root", model);
        json.WriteNull("parent");
        json.WriteNumber("max_model_len", server.Profile.MaxModelTokens);
    }

    private static Task HangIfAskedAsync(EngineServer server, HttpContext http) =>
        server.Faults.HangHealth ? Task.Delay(Timeout.InfiniteTimeSpan, server.Options.Time, http.RequestAborted) : Task.CompletedTask;

    private static Task WriteAsync(HttpContext http, Action<Utf8JsonWriter> write)
    {
        http.Response.ContentType = "application/json";
        return http.Response.Body.WriteAsync(JsonBytes.Of(json =>
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }), http.RequestAborted).AsTask();
    }
}
