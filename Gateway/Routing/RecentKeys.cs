using System.Diagnostics.CodeAnalysis;

namespace Gateway.Routing;

/// <summary>What is known of the keys that were used lately. Bounded: what was not used while half of the room filled is forgotten. Not thread-safe.</summary>
/// <param name="most">Keys at most.</param>
internal sealed class RecentKeys<T>(int most)
{
    private Dictionary<ulong, T> _young = [];
    private Dictionary<ulong, T> _old = [];

    /// <summary>Keys known.</summary>
    public int Count => _young.Count + _old.Count;

    public bool TryGet(ulong key, [MaybeNullWhen(false)] out T value) => _young.TryGetValue(key, out value) || _old.TryGetValue(key, out value);

    public bool Remove(ulong key, [MaybeNullWhen(false)] out T value) => _young.Remove(key, out value) || _old.Remove(key, out value);

    public void Set(ulong key, T value)
    {
        _old.Remove(key);
        _young[key] = value;
        if (_young.Count >= (most + 1) / 2)
        {
            (_old, _young) = (_young, []);
        }
    }
}
