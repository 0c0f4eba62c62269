using System.Globalization;

namespace Gateway.Configuration;

/// <summary>What one written value turned out to be: null exactly where <c>What</c> says why not.</summary>
internal readonly record struct ScalarReading(object? Value, string? What = null, string? Suggestion = null);

/// <summary>Turns one written value into the type of its setting, within the setting's bounds.</summary>
internal static class ScalarReader
{
    public static ScalarReading Read(Setting setting, Type type, string text)
    {
        var quoted = $"\"{SettingText.Shown(text)}\"";
        return type switch
        {
            _ when type == typeof(string) => new(text),
            _ when type == typeof(bool) => bool.TryParse(text, out var flag) ? new(flag) : new(null, $"{quoted} is neither true nor false."),
            _ when type == typeof(Uri) => ReadAddress(text, quoted),
            _ when type == typeof(TimeSpan) => ReadSpan(setting, text, quoted),
            _ when type == typeof(double) => SettingText.Number(text) is { } number
                ? Within(setting, number, text, SettingText.WriteNumber, value => value)
                : new(null, $"{quoted} is not a number."),
            _ when setting.IsSize => SettingText.Bytes(text) is { } bytes && Math.Floor(bytes) == bytes
                ? Within(setting, bytes, text, SettingText.WriteBytes, value => Whole(type, value))
                : new(null, $"{quoted} is not a size. Write it like 64MiB or 4096."),
            _ when type.IsEnum => ReadWord(type, text, quoted),
            _ => decimal.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole)
                ? Within(setting, (double)whole, text, SettingText.WriteNumber, value => Whole(type, value))
                : new(null, $"{quoted} is not a whole number."),
        };
    }

    private static object Whole(Type type, double value) => Convert.ChangeType(value, type, CultureInfo.InvariantCulture);

    private static ScalarReading ReadSpan(Setting setting, string text, string quoted)
    {
        // A key that names its unit may go without one in its value.
        var bare = setting.Key.EndsWith("Seconds", StringComparison.Ordinal) ? SettingText.Number(text) : null;
        return (SettingText.Seconds(text) ?? bare) is { } seconds
            ? Within(setting, seconds, text, SettingText.WriteSeconds, value => TimeSpan.FromSeconds(value))
            : new(null, $"{quoted} is not a time span. Write it like 30s or 500ms.");
    }

    private static ScalarReading ReadWord(Type type, string text, string quoted)
    {
        var words = EnumWords.All(type);
        var known = words.Select(word => word.Key);
        return words.FirstOrDefault(word => word.Key == text).Value is { } value
            ? new(value)
            : new(null, $"{quoted} is none of: {string.Join(", ", known)}.", NearestWord.To(text, known));
    }

    private static ScalarReading ReadAddress(string text, string quoted)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var address) || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps))
        {
            var completed = "http://" + text;
            var near = !text.Contains("://", StringComparison.Ordinal) && !text.Contains('@', StringComparison.Ordinal) && Uri.TryCreate(completed, UriKind.Absolute, out _);
            return new(null, $"{quoted} is not an http or https address. Write it like http://10.0.0.11:8000.", near ? SettingText.Shown(completed) : null);
        }

        return address switch
        {
            { UserInfo.Length: > 0 } => new(null, "an address carries no user name and no password here. Keys belong in the variable that apiKeyEnv names."),
            { Query.Length: > 0 } or { Fragment.Length: > 0 } => new(null, "an address ends with its path: no \"?\" and no \"#\"."),
            _ => new(address),
        };
    }

    private static ScalarReading Within(Setting setting, double value, string text, Func<double, string> write, Func<double, object> convert)
    {
        var bounds = setting.Bounds ?? new Bounds(int.MinValue, int.MaxValue);
        if (bounds.Allows(value))
        {
            return new(convert(value));
        }

        var allowed = $"{write(bounds.Least)} to {write(bounds.Most)}";
        return new(null, $"{SettingText.Shown(text)} is too {(value > bounds.Most ? "large" : "small")}. Allowed: {allowed}.");
    }
}
