using System.Text.Json;
using Gateway.Replicas;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace Gateway.Api;

/// <summary><c>/v1/models</c> over all pools, aliases as models of their own.</summary>
public static class ModelEndpoints
{
    // The API asks for a time of creation, which nobody knows. A constant looks unchanged to clients and caches.
    private const long Created = 1_700_000_000;

    /// <summary>The list, of what the caller may use.</summary>
    public static Task ListAsync(HttpContext http, Fleet fleet, Func<string, bool> mayUse) => JsonAnswer.WriteAsync(http, json =>
    {
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        foreach (var pool in fleet.Pools)
        {
            foreach (var name in pool.Options.Aliases.Prepend(pool.Name).Where(mayUse))
            {
                WriteModel(json, pool, name);
            }
        }
        json.WriteEndArray();
        json.WriteEndObject();
    });

    /// <summary>One model; ids may contain slashes and colons, percent-encoded or not. What the caller may not use does not exist for it.</summary>
    public static Task GetAsync(HttpContext http, Fleet fleet, Func<string, bool> mayUse)
    {
        var id = (string)http.Request.RouteValues["id"]!;
        return fleet.Find(id) is { } pool && mayUse(id)
            ? JsonAnswer.WriteAsync(http, json => WriteModel(json, pool, id))
            : ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.UnknownModel(id.Length <= 256 ? id : "(too long)"), RequestIds.Of(http));
    }

    private static void WriteModel(Utf8JsonWriter json, Pool pool, string id)
    {
        json.WriteStartObject();
        json.WriteString("id", id);
        json.WriteString("object", "model");
        json.WriteNumber("created", Created);
        json.WriteString("owned_by", "gateway");
        if (pool.ContextTokens is { } context)
        {
            json.WriteNumber("max_model_len", context);
        }
        json.WriteEndObject();
    }
}
