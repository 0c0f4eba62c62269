using System.Text.Json;
using Gateway.Replicas;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace Gateway.Api;

/// <summary><c>/v1/models</c> over all pools, aliases as models of their own.</summary>
public static class ModelEndpoints
{
    // Constant, so that clients and caches see no change where there is none.
    private const long Created = 1_700_000_000;

    /// <summary>The list.</summary>
    public static Task ListAsync(HttpContext http, Fleet fleet) => JsonAnswer.WriteAsync(http, json =>
    {
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        foreach (var pool in fleet.Pools)
        {
            WriteModel(json, pool, pool.Name);
            foreach (var alias in pool.Options.Aliases)
            {
                WriteModel(json, pool, alias);
            }
        }
        json.WriteEndArray();
        json.WriteEndObject();
    });

    /// <summary>One model; ids may contain slashes and colons, percent-encoded or not.</summary>
    public static Task GetAsync(HttpContext http, Fleet fleet)
    {
        var id = (string)http.Request.RouteValues["id"]!;
        return fleet.Find(id) is { } pool
            ? JsonAnswer.WriteAsync(http, json => WriteModel(json, pool, id))
            : ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.UnknownModel(id.Length <= 256 ? id : "(too long)"), HeaderFacts.RequestId(http.Request.Headers));
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
