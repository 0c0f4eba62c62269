using System.Collections.Frozen;

namespace Gateway.Replicas;

/// <summary>All pools, found by model name or alias. Thread-safe; the table is swapped whole.</summary>
public sealed class Fleet
{
    private sealed record Table(FrozenDictionary<string, Pool> ByName, Pool[] Pools);

    private Table _table = new(FrozenDictionary<string, Pool>.Empty, []);

    /// <summary>The pools in the order of the configuration.</summary>
    public IReadOnlyList<Pool> Pools => Volatile.Read(ref _table).Pools;

    /// <summary>The pool of a model name or alias; null: no such model.</summary>
    public Pool? Find(string model) => Volatile.Read(ref _table).ByName.GetValueOrDefault(model);

    /// <summary>Takes over a new set of pools.</summary>
    public void SetPools(IReadOnlyList<Pool> pools)
    {
        var byName = new Dictionary<string, Pool>(StringComparer.Ordinal);
        foreach (var pool in pools)
        {
            byName[pool.Name] = pool;
            foreach (var alias in pool.Options.Aliases)
            {
                byName.TryAdd(alias, pool);
            }
        }
        Volatile.Write(ref _table, new Table(byName.ToFrozenDictionary(StringComparer.Ordinal), [.. pools]));
    }
}
