using Gateway.Requests;

namespace Gateway.Estimation.Learned;

/// <summary>The keys of one request, widest first; a narrower one covers the wider ones' facts too.</summary>
/// <param name="Model">The model.</param>
/// <param name="Tenant">Model, who asks, and by which API.</param>
/// <param name="Application">The tenant's requests of one kind: system prompt, tools, format, reasoning.</param>
internal readonly record struct RequestKeys(ulong Model, ulong Tenant, ulong Application)
{
    public static RequestKeys Of(InferenceRequest request, string model)
    {
        var body = request.Body;
        var ofModel = Hash.Of(model);
        var tenant = Hash.Join(ofModel, Hash.Join(request.TenantKey, (ulong)request.Route.Kind));
        var kind = (body.HasTools ? 1ul : 0) | (body.ForcesTool ? 2ul : 0) | (body.HasStructuredOutput ? 4ul : 0)
            | (body.AsksForReasoning ? 8ul : 0) | (body.LastRole == MessageRole.Tool ? 16ul : 0);
        return new(ofModel, tenant, Hash.Join(tenant, Hash.Join(body.SystemPromptKey, kind)));
    }
}

/// <summary>Hashes that are the same in every run and on every machine.</summary>
internal static class Hash
{
    public static ulong Of(string text)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var letter in text)
        {
            hash = (hash ^ letter) * 0x100000001B3;
        }
        return Mix(hash);
    }

    public static ulong Join(ulong one, ulong other) => Mix(one ^ (Mix(other) + 0x9E3779B97F4A7C15 + (one << 6)));

    public static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    public static uint Join(uint one, uint other)
    {
        var hash = (one * 0x9E3779B1) ^ ((other + 0x7F4A7C15) * 0x85EBCA6B);
        hash = (hash ^ (hash >> 15)) * 0x2C1B3C6D;
        return hash ^ (hash >> 13);
    }
}
