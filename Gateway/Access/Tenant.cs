using System.Collections.Frozen;
using System.Globalization;
using Gateway.Requests;

namespace Gateway.Access;

/// <summary>A tenant with its limits and names resolved. Immutable; a reload makes new ones.</summary>
public sealed record Tenant
{
    public required string Name { get; init; }

    /// <summary>Keyed hash of the name: what the other rooms know of it. Never 0.</summary>
    public required ulong Key
    {
        get;
        init => (field, KeyText) = (value, value.ToString("x16", CultureInfo.InvariantCulture));
    }

    /// <summary><see cref="Key"/> in sixteen hexadecimal digits.</summary>
    public string KeyText { get; private init; } = "";

    /// <summary>Its share under contention; more than 0.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>Names and aliases it may use; null: all.</summary>
    public FrozenSet<string>? Models { get; init; }

    public bool IsTrusted { get; init; }

    public LimitOptions Limits { get; init; } = new();

    /// <summary>What makes its prefix cache its own, as sent to engines; null: it shares with all.</summary>
    public string? CacheSalt { get; init; }

    /// <summary>Whether it may use a model under the name that it wrote.</summary>
    public bool MayUse(string model) => Models is null || Models.Contains(model);

    /// <summary>The class that a request goes in.</summary>
    public PriorityClass Clamp(PriorityClass asked) => Limits.MaxPriority is { } ceiling && asked < ceiling ? ceiling : asked;
}
