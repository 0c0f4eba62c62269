using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using Gateway.Api;
using Gateway.Replicas;

namespace Gateway.Configuration;

/// <summary>One key of a section, as the options class declares it: its name in the file, the property's type without its null,
/// whether a section without it is a mistake, and its bounds (null where the type allows everything).</summary>
internal sealed record Setting(string Key, PropertyInfo Property, Type ValueType, bool IsRequired, Bounds? Bounds)
{
    /// <summary>A whole number of bytes, which may be written with a unit.</summary>
    public bool IsSize => ValueType != typeof(double) && Property.Name.EndsWith("Bytes", StringComparison.Ordinal);
}

/// <summary>What a number may be; spans of time in seconds.</summary>
internal sealed record Bounds(double Least, double Most)
{
    public bool Allows(double value) => value >= Least && value <= Most;
}

/// <summary>Reads the keys of a section from its options class, so that a new setting is one property and nothing else.</summary>
internal static class SettingSchema
{
    private static readonly ConcurrentDictionary<Type, IReadOnlyList<Setting>> Known = new();

    /// <summary>Sections that may be written as one of their values: a bare address instead of a map that holds it.</summary>
    private static readonly Dictionary<Type, string> Shorthands = new()
    {
        [typeof(ListenOptions)] = "urls",
        [typeof(ReplicaOptions)] = "url",
    };

    public static IReadOnlyList<Setting> Of(Type section) => Known.GetOrAdd(section, Declared);

    /// <summary>What is said of a key that a section does not have: which it has, where none of them is near.</summary>
    public static string UnknownKey(Type section, string? near) =>
        near is not null ? "unknown setting." : $"unknown setting. Known: {string.Join(", ", Of(section).Select(setting => setting.Key))}.";

    /// <summary>The setting that a bare value in the section's place stands for; null where a section must be a map.</summary>
    public static Setting? ShorthandOf(Type section) =>
        Shorthands.TryGetValue(section, out var key) ? Of(section).First(setting => setting.Key == key) : null;

    public static bool IsSection(Type type) => type.IsClass && type.Assembly == typeof(SettingSchema).Assembly;

    /// <summary>The type of a list's items; null where the type is no list.</summary>
    public static Type? ItemOf(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;

    public static bool IsWordMap(Type type) => type == typeof(IReadOnlyDictionary<string, string>);

    private static IReadOnlyList<Setting> Declared(Type section) =>
    [
        .. section.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite).Select(property => new Setting(
            char.ToLowerInvariant(property.Name[0]) + property.Name[1..],
            property,
            Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType,
            property.IsDefined(typeof(RequiredAttribute)),
            property.GetCustomAttribute<RangeAttribute>() is { } range ? BoundsOf(range) : null)),
    ];

    private static Bounds BoundsOf(RangeAttribute range) => new(Number(range, range.Minimum), Number(range, range.Maximum));

    private static double Number(RangeAttribute range, object limit) => range.OperandType == typeof(TimeSpan)
        ? TimeSpan.Parse((string)limit, CultureInfo.InvariantCulture).TotalSeconds
        : Convert.ToDouble(limit, CultureInfo.InvariantCulture);
}
