using System.Globalization;
using System.Text;
using System.Text.Json;
using Gateway.Replay.Traces;
using Gateway.Replay.Traces.Readers;
using Gateway.Requests;

namespace Gateway.Replay.Estimates;

/// <summary>A line of the gateway's own access log as a labelled request. The log has no text, so an estimator knows only what stands there: keys, counts and limits.</summary>
internal static class LoggedAnswer
{
    /// <returns>Nothing for a request that got no answer, or whose route has no open length.</returns>
    public static IEnumerable<LabelledRequest> Read(JsonRow row, string file, PrefixHasher hasher)
    {
        var outcome = row.Text("outcome") ?? throw row.Missing("outcome");
        var route = RouteOf(row);
        var output = row.Count(0, "output_tokens") ?? 0;
        if (outcome is not ("success" or "canceled") || route is null || output == 0)
        {
            yield break;
        }
        var source = row.Label("tenant") ?? file;
        var session = Hash(row, "session");
        yield return new LabelledRequest
        {
            Request = new InferenceRequest
            {
                Id = row.Spot.Line.ToString(CultureInfo.InvariantCulture),
                Route = route,
                Model = row.Label("model") ?? throw row.Missing("model"),
                Body = BodyOf(row),
                Prefix = PrefixOf(row),
                SessionKey = session,
                TenantKey = hasher.Key(Encoding.UTF8.GetBytes(source)),
            },
            Source = source,
            PromptKey = session != 0 ? session : hasher.Key(Encoding.UTF8.GetBytes(row.Text("id") ?? throw row.Missing("id"))),
            OutputTokens = output / Math.Max(1, row.Count(1, "sequences") ?? 1),
            IsCensored = outcome == "canceled" || IsTrue(row, "censored"),
        };
    }

    private static ApiRoute? RouteOf(JsonRow row)
    {
        var path = row.Text("route") ?? throw row.Missing("route");
        return ApiRoute.All.FirstOrDefault(route => route.Path == path && route.Generates);
    }

    private static BodyFacts BodyOf(JsonRow row)
    {
        var bytes = row.Count(0, "prompt_bytes") ?? 0;
        return new BodyFacts
        {
            Model = row.Label("model") ?? "",
            IsStreaming = IsTrue(row, "stream"),
            PromptBytes = bytes,
            BodyBytes = row.Count(0, "body_bytes") ?? bytes,
            MaxOutputTokens = row.Count(0, "max_output_tokens"),
            SystemPromptKey = Hash(row, "system"),
            Choices = row.Count(1, "sequences") ?? 1,
        };
    }

    private static PrefixFingerprint PrefixOf(JsonRow row)
    {
        if (row.Find("prefix") is not { ValueKind: JsonValueKind.Array } prefix)
        {
            return PrefixFingerprint.Empty;
        }
        var hashes = new ulong[prefix.GetArrayLength()];
        for (var i = 0; i < hashes.Length; i++)
        {
            hashes[i] = (prefix[i].ValueKind == JsonValueKind.String ? Parsed(JsonRow.StringOf(prefix[i], row.Spot)) : null) ?? throw WrongHash(row, "prefix");
        }
        return new PrefixFingerprint(hashes, row.RequiredCount(1, "prefix_block_bytes"));
    }

    private static ulong Hash(JsonRow row, string name) =>
        row.Text(name) is not { } text ? 0 : Parsed(text) ?? throw WrongHash(row, name);

    private static ulong? Parsed(string text) =>
        ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var hash) ? hash : null;

    private static TraceException WrongHash(JsonRow row, string name) => row.Spot.Wrong($"{name} is no hash. Allowed: 16 hexadecimal digits.");

    private static bool IsTrue(JsonRow row, string name) => row.Find(name) is { ValueKind: JsonValueKind.True };
}
