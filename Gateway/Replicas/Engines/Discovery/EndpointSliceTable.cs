using System.Text.Json;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>The slices of one model as the API server told them, and the replicas in them. Not thread-safe.</summary>
internal sealed class EndpointSliceTable(ModelOptions model, string? port)
{
    /// <summary>Replicas taken at most: a selector that matches a whole cluster must not become a fleet.</summary>
    public const int MaxReplicas = 4_096;

    private readonly Dictionary<string, EndpointSlice> _slices = new(StringComparer.Ordinal);

    /// <summary>Slices that match, with replicas or without.</summary>
    public int Slices => _slices.Count;

    /// <summary>Starts anew, before a list.</summary>
    public void Clear() => _slices.Clear();

    /// <summary>A slice as it is now.</summary>
    public void Set(JsonElement slice)
    {
        if (EndpointSlice.Read(slice, port) is { } read)
        {
            _slices[read.Name] = read;
        }
    }

    /// <summary>A slice that is no more.</summary>
    public void Remove(JsonElement slice)
    {
        if (EndpointSlice.NameOf(slice) is { } name)
        {
            _slices.Remove(name);
        }
    }

    /// <summary>One per engine, in an order of our own: equal slices give equal lists.</summary>
    public IReadOnlyList<ReplicaOptions> Replicas()
    {
        var own = _slices.Values.Where(slice => slice.Model is null || IsNamed(slice.Model)).ToList();
        // The same pods again under their second address.
        var services = own.Where(slice => !slice.IsIPv6).Select(slice => slice.Service).ToHashSet(StringComparer.Ordinal);
        return [.. own
            .Where(slice => !slice.IsIPv6 || !services.Contains(slice.Service))
            .SelectMany(slice => slice.Replicas)
            .DistinctBy(replica => replica.Url)
            .OrderBy(replica => replica.Url!.AbsoluteUri, StringComparer.Ordinal)
            .Take(MaxReplicas)];
    }

    private bool IsNamed(string label) => label == model.Name || label == model.UpstreamModel || model.Aliases.Contains(label);
}
