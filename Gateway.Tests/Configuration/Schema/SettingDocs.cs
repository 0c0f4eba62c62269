using System.Text.RegularExpressions;
using System.Xml.Linq;
using Gateway.Configuration;

namespace Gateway.Tests.Configuration.Schema;

/// <summary>What the options classes say of themselves: the compiler's documentation file, in words for whoever writes the file.</summary>
internal sealed partial class SettingDocs
{
    private readonly Dictionary<string, XElement> _members;

    private SettingDocs(XDocument file) => _members = file.Descendants("member").ToDictionary(member => member.Attribute("name")!.Value, StringComparer.Ordinal);

    public static SettingDocs Read() => new(XDocument.Load(Path.ChangeExtension(typeof(GatewayOptions).Assembly.Location, ".xml"), LoadOptions.PreserveWhitespace));

    /// <summary>The summary, and the bounds of what is written with a unit: a schema has no other place for them.</summary>
    public string Of(Setting setting)
    {
        var summary = Summary($"P:{setting.Property.DeclaringType!.FullName}.{setting.Property.Name}");
        return setting.Bounds is { } bounds && (setting.IsSize || setting.ValueType == typeof(TimeSpan))
            ? $"{summary} From {Written(setting, bounds.Least)} to {Written(setting, bounds.Most)}."
            : summary;
    }

    private static string Written(Setting setting, double value) => setting.IsSize ? SettingText.WriteBytes(value) : SettingText.WriteSeconds(value);

    private string Summary(string member) => _members.TryGetValue(member, out var found) && found.Element("summary") is { } summary
        ? Blanks().Replace(string.Concat(summary.Nodes().Select(Text)), " ").Trim()
        : throw new InvalidOperationException($"{member} has no summary.");

    private static string Text(XNode node) => node switch
    {
        XText text => text.Value,
        XElement element when element.Attribute("cref")?.Value is { } cref => Named(cref),
        XElement element => element.Value,
        _ => "",
    };

    // A property is a key of the file.
    private static string Named(string cref)
    {
        var name = cref[(cref.LastIndexOf('.') + 1)..];
        return cref.StartsWith("P:", StringComparison.Ordinal) ? char.ToLowerInvariant(name[0]) + name[1..] : name;
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
