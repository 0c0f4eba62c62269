using System.Collections;
using System.Globalization;
using System.Text.Json.Nodes;
using Gateway.Configuration;

namespace Gateway.Tests.Configuration.Schema;

/// <summary>The JSON schema (draft 7, as editors read it) of the configuration file, made from what the loader itself goes by: keys, types, bounds, names.</summary>
internal sealed class ConfigurationSchema(SettingDocs docs)
{
    private const string SpanForm = @"^(0|\d+(\.\d+)? ?(ms|s|m|h|d))$";
    private const string SizeForm = @"^\d+(\.\d+)? ?(KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB|B)$";

    public JsonObject Write()
    {
        var schema = new JsonObject
        {
            ["$schema"] = "http://json-schema.org/draft-07/schema#",
            ["title"] = "Configuration of the gateway",
        };
        foreach (var (key, value) in Section(typeof(GatewayOptions), "").ToArray())
        {
            schema[key] = value?.DeepClone();
        }
        return schema;
    }

    // A section with nothing in it but comments is null to YAML, and all defaults to the loader.
    private JsonObject Section(Type type, string table)
    {
        var properties = new JsonObject();
        var defaults = Activator.CreateInstance(type);
        foreach (var setting in SettingSchema.Of(type))
        {
            properties[setting.Key] = Described(setting, setting.Property.GetValue(defaults), Value(setting, Below(table, setting.Key)));
        }
        var section = new JsonObject { ["type"] = Types("object", "null"), ["additionalProperties"] = false, ["properties"] = properties };
        var required = SettingSchema.Of(type).Where(setting => setting.IsRequired).Select(setting => (JsonNode)setting.Key).ToArray();
        if (required.Length > 0)
        {
            section["required"] = new JsonArray(required);
        }
        return section;
    }

    private JsonObject Described(Setting setting, object? byDefault, JsonObject value)
    {
        var described = new JsonObject { ["description"] = docs.Of(setting) };
        foreach (var (key, part) in value.ToArray())
        {
            described[key] = part?.DeepClone();
        }
        if (Default(setting, byDefault) is { } written)
        {
            described["default"] = written;
        }
        return described;
    }

    private JsonObject Value(Setting setting, string table)
    {
        if (SettingSchema.ItemOf(setting.ValueType) is { } item)
        {
            var one = SettingSchema.IsSection(item) ? SectionOrShorthand(item, table) : Scalar(setting, item, table);
            var list = new JsonObject { ["type"] = "array", ["items"] = one };
            // A list of words may be written as its only word.
            return SettingSchema.IsSection(item) ? list : Either(list, (JsonObject)one.DeepClone());
        }
        return SettingSchema.IsWordMap(setting.ValueType) ? new JsonObject { ["type"] = "object", ["additionalProperties"] = new JsonObject { ["type"] = Types("string", "number", "boolean") } }
            : SettingSchema.IsSection(setting.ValueType) ? SectionOrShorthand(setting.ValueType, table)
            : Scalar(setting, setting.ValueType, table);
    }

    private JsonObject SectionOrShorthand(Type type, string table) =>
        SettingSchema.ShorthandOf(type) is { } shorthand ? Either(Section(type, table), Value(shorthand, Below(table, shorthand.Key))) : Section(type, table);

    private static JsonObject Scalar(Setting setting, Type type, string table) => type switch
    {
        _ when KnownNames.For(table) is { } known => Words(known.Names),
        _ when type == typeof(string) => new JsonObject { ["type"] = "string", ["minLength"] = 1 },
        _ when type == typeof(bool) => new JsonObject { ["type"] = "boolean" },
        _ when type == typeof(Uri) => new JsonObject { ["type"] = "string", ["pattern"] = "^https?://" },
        _ when type == typeof(TimeSpan) => Span(setting),
        _ when type == typeof(double) => Number(setting, "number"),
        _ when type.IsEnum => Words(EnumWords.All(type).Select(word => word.Key)),
        _ when setting.IsSize => Either(Number(setting, "integer"), new JsonObject { ["type"] = "string", ["pattern"] = SizeForm }),
        _ => Number(setting, "integer"),
    };

    // 0 needs no unit, nor does a key that names one.
    private static JsonObject Span(Setting setting) => Either(
        new JsonObject { ["type"] = "string", ["pattern"] = SpanForm },
        setting.Key.EndsWith("Seconds", StringComparison.Ordinal) ? Number(setting, "number") : new JsonObject { ["const"] = 0 });

    private static JsonObject Number(Setting setting, string type)
    {
        var number = new JsonObject { ["type"] = type };
        if (setting.Bounds is { } bounds)
        {
            number["minimum"] = Plain(bounds.Least);
            number["maximum"] = Plain(bounds.Most);
        }
        return number;
    }

    private static JsonNode? Default(Setting setting, object? value) => value switch
    {
        null or "" or Uri => null,
        string text => text,
        bool flag => flag,
        TimeSpan span => SettingText.WriteSeconds(span.TotalSeconds),
        Enum word => EnumWords.Of(word),
        IDictionary or IReadOnlyDictionary<string, string> => null,
        IEnumerable<string> words => new JsonArray([.. words.Select(word => (JsonNode)word)]),
        IEnumerable => new JsonArray(),
        _ when SettingSchema.IsSection(value.GetType()) => null,
        _ when setting.IsSize => SettingText.WriteBytes(Convert.ToDouble(value, CultureInfo.InvariantCulture)),
        _ => Plain(Convert.ToDouble(value, CultureInfo.InvariantCulture)),
    };

    private static JsonValue Plain(double number) => number % 1 == 0 ? JsonValue.Create((long)number) : JsonValue.Create(number);

    private static JsonObject Words(IEnumerable<string> words) => new() { ["enum"] = new JsonArray([.. words.Select(word => (JsonNode)word)]) };

    private static JsonObject Either(params JsonObject[] forms) => new() { ["anyOf"] = new JsonArray([.. forms]) };

    private static JsonArray Types(params string[] names) => [.. names.Select(name => (JsonNode)name)];

    private static string Below(string table, string key) => table.Length == 0 ? key : table + "." + key;
}
