using System.Globalization;
using System.Text.Json;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>What counts in an EndpointSlice (<c>discovery.k8s.io/v1</c>): the addresses that take new work.</summary>
/// <param name="Name">Unique in the namespace.</param>
/// <param name="Service">The service it belongs to; empty: none is named.</param>
/// <param name="IsIPv6">A service of both families lists every pod twice.</param>
/// <param name="Model">The label <c>gateway/model</c>; null: it serves whatever it is asked.</param>
/// <param name="Replicas">One per ready endpoint; those that terminate or are not ready are left out, and so drain.</param>
internal sealed record EndpointSlice(string Name, string Service, bool IsIPv6, string? Model, IReadOnlyList<ReplicaOptions> Replicas)
{
    /// <summary>Label that says which model the endpoints serve: its name, an alias or its upstream name.</summary>
    public const string ModelLabel = "gateway/model";

    /// <summary>Label that says which model server they run, in the words of <c>engine</c>.</summary>
    public const string EngineLabel = "gateway/engine";

    /// <summary>The name of a slice; null where the object has none.</summary>
    public static string? NameOf(JsonElement slice) => Text(Member(slice, "metadata"), "name");

    /// <param name="slice">The object as the API server sends it.</param>
    /// <param name="port">Name of the port; null: the first.</param>
    /// <returns>Null where the object is no slice.</returns>
    public static EndpointSlice? Read(JsonElement slice, string? port)
    {
        if (NameOf(slice) is not { } name)
        {
            return null;
        }
        var labels = Member(Member(slice, "metadata"), "labels");
        var isIPv6 = Text(slice, "addressType") == "IPv6";
        var engine = EngineOf(Text(labels, EngineLabel));
        IReadOnlyList<ReplicaOptions> replicas = PortOf(slice, port) is { } number && Text(slice, "addressType") != "FQDN"
            ? [.. Items(slice, "endpoints").Where(IsReady).Select(endpoint => ReplicaOf(endpoint, number, isIPv6, engine)).OfType<ReplicaOptions>()]
            : [];
        return new EndpointSlice(name, Text(labels, "kubernetes.io/service-name") ?? "", isIPv6, Text(labels, ModelLabel), replicas);
    }

    // The API's rules: an absent condition means ready and not terminating.
    private static bool IsReady(JsonElement endpoint)
    {
        var conditions = Member(endpoint, "conditions");
        return Member(conditions, "ready").ValueKind != JsonValueKind.False && Member(conditions, "terminating").ValueKind != JsonValueKind.True;
    }

    private static int? PortOf(JsonElement slice, string? name)
    {
        foreach (var port in Items(slice, "ports"))
        {
            if ((name is null || Text(port, "name") == name) && Member(port, "port") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var value))
            {
                return value is > 0 and < 65_536 ? value : null;
            }
        }
        return null;
    }

    private static ReplicaOptions? ReplicaOf(JsonElement endpoint, int port, bool isIPv6, EngineKind? engine)
    {
        // All addresses of an endpoint are the same pod; the API's users take the first.
        var address = Items(endpoint, "addresses").Select(item => item.ValueKind == JsonValueKind.String ? item.GetString() : null).FirstOrDefault();
        var host = isIPv6 ? $"[{address}]" : address;
        if (address is null || !Uri.TryCreate(string.Create(CultureInfo.InvariantCulture, $"http://{host}:{port}"), UriKind.Absolute, out var url))
        {
            return null;
        }
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        AddLabel("zone", Text(endpoint, "zone"));
        AddLabel("node", Text(endpoint, "nodeName"));
        AddLabel("pod", Text(Member(endpoint, "targetRef"), "name"));
        return new ReplicaOptions { Url = url, Engine = engine, Labels = labels };

        void AddLabel(string key, string? value)
        {
            if (value is not null)
            {
                labels[key] = value;
            }
        }
    }

    private static EngineKind? EngineOf(string? word) =>
        word is not null && word.All(letter => char.IsAsciiLetter(letter) || letter == '_')
        && Enum.TryParse<EngineKind>(word.Replace("_", "", StringComparison.Ordinal), ignoreCase: true, out var kind) ? kind : null;

    private static JsonElement Member(JsonElement owner, string name) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(name, out var value) ? value : default;

    private static string? Text(JsonElement owner, string name) => Member(owner, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    private static JsonElement.ArrayEnumerator Items(JsonElement owner, string name) =>
        Member(owner, name) is { ValueKind: JsonValueKind.Array } array ? array.EnumerateArray() : default;
}
