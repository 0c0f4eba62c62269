using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Gateway.Api;

namespace Gateway.Configuration;

/// <summary>Where a rule leaves its problem: at the place where the setting was written, or at the nearest section around it.</summary>
internal sealed class RuleReport(IReadOnlyDictionary<string, SourceSpot> written, IReadOnlySet<string> shorthands, ProblemList problems)
{
    public bool IsWritten(string path) => written.ContainsKey(path);

    /// <summary>The section was written as one of its values: a bare address.</summary>
    public bool IsShorthand(string path) => shorthands.Contains(path);

    public void Add(string path, string what, string? suggestion = null) => problems.Add(SpotOf(path), path, what, suggestion);

    /// <summary>For what is allowed but hardly meant.</summary>
    public void Warn(string path, string what) => problems.Warn(SpotOf(path), path, what);

    private SourceSpot SpotOf(string path)
    {
        var at = path;
        while (!written.ContainsKey(at))
        {
            at = at[..Math.Max(0, at.LastIndexOfAny(['.', '[']))];
        }

        return written[at];
    }
}

/// <summary>What must hold among settings outside the models.</summary>
internal static partial class SettingRules
{
    public static void Check(GatewayOptions options, RuleReport report)
    {
        CheckAddresses(options.Listen, report);
        CheckOrigins(options.Listen, report);
        PolicyRules.Check(options, report);
        if (options.Routing.Prefix.BlockBytes % 16 != 0)
        {
            report.Add("routing.prefix.blockBytes", "must be a multiple of 16 bytes.");
        }

        if (options.Listen.MaxBodyBytes > options.Listen.MaxBufferedBytes)
        {
            var path = report.IsWritten("listen.maxBufferedBytes") ? "listen.maxBufferedBytes" : "listen.maxBodyBytes";
            report.Add(path, $"the largest body ({SettingText.WriteBytes(options.Listen.MaxBodyBytes)}) is larger than what all bodies may hold ({SettingText.WriteBytes(options.Listen.MaxBufferedBytes)}).");
        }

        if (options.Listen.MaxBodyBytes > options.Queue.MaxWaitingBytes)
        {
            var path = report.IsWritten("queue.maxWaitingBytes") ? "queue.maxWaitingBytes" : "listen.maxBodyBytes";
            var (one, all) = (SettingText.WriteBytes(options.Listen.MaxBodyBytes), SettingText.WriteBytes(options.Queue.MaxWaitingBytes));
            report.Add(path, $"the largest body ({one}) is larger than what all waiting ones may hold ({all}).");
        }

        if (options.Resilience.Heartbeat is { CommitAfter.Ticks: > 0, Interval.Ticks: 0 })
        {
            report.Add("resilience.heartbeat.commitAfter", "has no effect without heartbeat.interval. Set both, such as interval: 15s.");
        }

        if (report.IsWritten("resilience.firstByteTimeout") && options.Resilience.FirstByteTimeout > options.Resilience.TotalTimeout)
        {
            report.Add("resilience.firstByteTimeout", $"is longer than totalTimeout ({SettingText.WriteSeconds(options.Resilience.TotalTimeout.TotalSeconds)}).");
        }
    }

    private static void CheckAddresses(ListenOptions listen, RuleReport report)
    {
        var list = report.IsShorthand("listen") ? "listen" : "listen.urls";
        if (listen.Urls.Count == 0)
        {
            report.Add(list, "at least one address is needed, like http://127.0.0.1:8080.");
        }

        var seen = new List<ListenAddress>();
        for (var i = 0; i < listen.Urls.Count; i++)
        {
            CheckAddress(listen.Urls[i], report.IsWritten($"{list}[{i}]") ? $"{list}[{i}]" : list, listen.Tls is not null, seen, report);
        }

        if (listen.Ops is { } ops)
        {
            CheckAddress(ops, "listen.ops", listen.Tls is not null, seen, report);
        }

        if (listen.Tls is not null && listen.Urls.Append(listen.Ops ?? "").All(url => !IsSecure(url)))
        {
            report.Add("listen.tls", "no address begins with https, so the certificate would never be shown.");
        }
    }

    // host:port, :port and a bare port are what other servers take.
    private static string? Completed(string url)
    {
        var completed = "http://" + (url.StartsWith(':') ? "*" + url : url.Length > 0 && url.All(char.IsAsciiDigit) ? "*:" + url : url);
        return Address().IsMatch(completed) ? SettingText.Shown(completed) : null;
    }

    private static void CheckAddress(string url, string path, bool hasCertificate, List<ListenAddress> seen, RuleReport report)
    {
        var match = Address().Match(url);
        if (!match.Success || (match.Groups["port"].Value is { Length: > 0 } port && int.Parse(port, CultureInfo.InvariantCulture) > 65_535))
        {
            report.Add(path, $"\"{SettingText.Shown(url)}\" is no address to listen on. Write it like http://127.0.0.1:8080 or http://*:8080.", Completed(url));
        }
        else if (IsSecure(url) && !hasCertificate)
        {
            report.Add(path, "https needs a certificate. Name its files in listen.tls, or listen on http and end TLS in front of the gateway.");
        }
        else if (match.Groups["name"].Value is { Length: > 0 } name && !name.Equals("localhost", StringComparison.OrdinalIgnoreCase) && !IPAddress.TryParse(name, out _))
        {
            // Kestrel would take an unknown host name to mean every interface.
            report.Add(path, $"\"{SettingText.Shown(url)}\" names no interface. Write its IP address, localhost, or * for every interface.");
        }
        else
        {
            var address = new ListenAddress(url, match.Groups["host"].Value, match.Groups["port"].Value is { Length: > 0 } digits ? int.Parse(digits, CultureInfo.InvariantCulture) : IsSecure(url) ? 443 : 80);
            CheckPort(address, path, seen, report);
            seen.Add(address);
        }
    }

    private static void CheckPort(ListenAddress address, string path, List<ListenAddress> seen, RuleReport report)
    {
        if (address is { Port: 0, IsLocalhost: true })
        {
            report.Add(path, "localhost is two addresses, which cannot share a free port. Write 127.0.0.1:0.");
        }
        else if (seen.Exists(other => other.Url.TrimEnd('/').Equals(address.Url.TrimEnd('/'), StringComparison.OrdinalIgnoreCase)))
        {
            report.Add(path, $"\"{SettingText.Shown(address.Url)}\" is listed twice.");
        }
        else if (seen.Find(address.Meets) is { } taken)
        {
            report.Add(path, $"\"{SettingText.Shown(address.Url)}\" and \"{SettingText.Shown(taken.Url)}\" are the same port of the same interface. Keep one, or give it another port.");
        }
    }

    private static bool IsSecure(string url) => url.StartsWith("https:", StringComparison.OrdinalIgnoreCase);

    private static void CheckOrigins(ListenOptions listen, RuleReport report)
    {
        for (var i = 0; i < listen.CorsOrigins.Count; i++)
        {
            var origin = listen.CorsOrigins[i];
            var isOrigin = Uri.TryCreate(origin, UriKind.Absolute, out var address) && address.GetLeftPart(UriPartial.Authority) == origin;
            if (origin.Length > 0 && origin != "*" && !isOrigin)
            {
                var path = report.IsWritten($"listen.corsOrigins[{i}]") ? $"listen.corsOrigins[{i}]" : "listen.corsOrigins";
                report.Add(path, $"\"{SettingText.Shown(origin)}\" is no origin. Write * or scheme and host, like https://app.example.com.");
            }
        }
    }

    [GeneratedRegex(@"^https?://(?<host>\*|\+|\[[0-9A-Fa-f:.]+\]|(?<name>[A-Za-z0-9._-]+))(:(?<port>\d{1,5}))?/?$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Address();
}
