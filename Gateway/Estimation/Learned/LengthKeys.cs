using System.Collections.Concurrent;
using Gateway.Requests;

namespace Gateway.Estimation.Learned;

/// <summary>The keys of a gateway's traffic, a bounded number: the least used ones make room. Reading is lock-free; one writer at a time.</summary>
/// <remarks>Two generations: what is asked for moves to the young one, and when that is full the old one goes. No clock, no list, constant time.</remarks>
internal sealed class LengthKeys(EstimationOptions options)
{
    /// <summary>Most keys of one generation.</summary>
    public const int MaxYoung = 2048;

    private LengthKey _everybody = new(options.InitialOutputTokens, options.Window);
    private ConcurrentDictionary<ulong, LengthKey> _young = new();
    private ConcurrentDictionary<ulong, LengthKey> _old = new();

    public LengthKey Everybody => _everybody;

    /// <summary>The narrowest key that is known of a request.</summary>
    public LengthKey Find(InferenceRequest request, string model)
    {
        var ids = RequestKeys.Of(request, model);
        return Known(ids.Application) ?? Known(ids.Tenant) ?? Known(ids.Model) ?? _everybody;
    }

    /// <summary>The key of an id; null: never seen, or forgotten.</summary>
    public LengthKey? Known(ulong id) =>
        id == _everybody.Id ? _everybody : Volatile.Read(ref _young).TryGetValue(id, out var key) || Volatile.Read(ref _old).TryGetValue(id, out key) ? key : null;

    /// <summary>The narrowest of three keys, made where it is not known yet.</summary>
    public LengthKey Make(in RequestKeys ids) => Make(ids.Application, Make(ids.Tenant, Make(ids.Model, _everybody)));

    /// <summary>Writes every key, the wider ones first.</summary>
    public void Export(BinaryWriter writer)
    {
        _everybody.Export(writer);
        var keys = _young.Values.Concat(_old.Values).OrderBy(DepthOf).ThenBy(key => key.Id).ToArray();
        writer.Write(keys.Length);
        foreach (var key in keys)
        {
            writer.Write(key.Id);
            writer.Write(key.Parent!.Id);
            key.Export(writer);
        }
    }

    /// <exception cref="InvalidDataException">No such keys can be.</exception>
    public void Import(BinaryReader reader)
    {
        var everybody = LengthKey.Import(reader, 0, null, options.Window);
        var keys = new ConcurrentDictionary<ulong, LengthKey>();
        for (var left = SnapshotNumbers.Count(reader, 2 * MaxYoung); left > 0; left--)
        {
            var id = reader.ReadUInt64();
            // A key whose wider key was forgotten becomes a child of the key of everybody.
            var parent = keys.GetValueOrDefault(reader.ReadUInt64(), everybody);
            keys[id] = LengthKey.Import(reader, id, parent, options.Window);
        }
        _everybody = everybody;
        Volatile.Write(ref _young, new());
        Volatile.Write(ref _old, keys);
    }

    private static int DepthOf(LengthKey key) => key.Parent is { } parent ? 1 + DepthOf(parent) : 0;

    private LengthKey Make(ulong id, LengthKey parent)
    {
        if (_young.TryGetValue(id, out var key))
        {
            return key;
        }
        if (_young.Count >= MaxYoung)
        {
            Volatile.Write(ref _old, _young);
            Volatile.Write(ref _young, new());
        }
        // A key whose parent was forgotten in between starts anew under the new one.
        key = _old.TryGetValue(id, out var known) && known.Parent == parent ? known : new LengthKey(id, parent, options.Window);
        // In this order: a reader looks among the young first, and must find it in either.
        _young[id] = key;
        _old.TryRemove(id, out _);
        return key;
    }
}
