using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;

namespace Gateway.Tests.Benchmarks.Proxy;

/// <summary>What came of a while of load.</summary>
internal readonly record struct LoadResult(long Requests, TimeSpan Elapsed, long Failures);

/// <summary>Sends one body over and over on 32 connections: by <c>wrk</c> where it is installed, else by this process.</summary>
internal sealed partial class Load(string body, string directory)
{
    private const int Connections = 32;

    /// <summary>Whether <c>wrk</c> drives: it takes far less processor time from the proxies than this process.</summary>
    public static bool HasWrk => Programs.Find("wrk") is not null;

    public async Task<LoadResult> RunAsync(Uri server, int seconds) =>
        Programs.Find("wrk") is { } wrk ? await DriveAsync(wrk, server, seconds) : await SendAsync(server, seconds);

    private async Task<LoadResult> DriveAsync(string wrk, Uri server, int seconds)
    {
        var script = Path.Combine(directory, "post.lua");
        await File.WriteAllTextAsync(script, $"""
            wrk.method = "POST"
            wrk.headers["content-type"] = "application/json"
            wrk.body = [==[{body}]==]
            """);
        var start = new ProcessStartInfo(wrk) { RedirectStandardOutput = true };
        foreach (var argument in (string[])["-t1", $"-c{Connections}", $"-d{seconds}s", "-s", script, new Uri(server, "/v1/chat/completions").AbsoluteUri])
        {
            start.ArgumentList.Add(argument);
        }
        using var process = Process.Start(start)!;
        var told = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        var requests = Number(RequestsLine().Match(told));
        var rate = Number(RateLine().Match(told));
        var failures = Number(FailuresLine().Match(told)) + SocketErrorsLine().Match(told).Groups.Values.Skip(1).Sum(Number);
        return new LoadResult((long)requests, TimeSpan.FromSeconds(rate > 0 ? requests / rate : seconds), (long)failures);
    }

    private async Task<LoadResult> SendAsync(Uri server, int seconds)
    {
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = Connections }) { BaseAddress = server };
        var bytes = Encoding.UTF8.GetBytes(body);
        var (requests, failures) = (0L, 0L);
        var begun = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Connections).Select(async _ =>
        {
            while (Stopwatch.GetElapsedTime(begun).TotalSeconds < seconds)
            {
                using var content = new ByteArrayContent(bytes);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                using var response = await http.PostAsync("/v1/chat/completions", content);
                Interlocked.Increment(ref requests);
                Interlocked.Add(ref failures, response.IsSuccessStatusCode ? 0 : 1);
            }
        }));
        return new LoadResult(requests, Stopwatch.GetElapsedTime(begun), failures);
    }

    private static double Number(Match match) => Number(match.Groups[1]);

    private static double Number(Group group) => group.Success ? double.Parse(group.Value, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex RequestsLine();

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex RateLine();

    [GeneratedRegex(@"Non-2xx or 3xx responses: (\d+)")]
    private static partial Regex FailuresLine();

    [GeneratedRegex(@"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")]
    private static partial Regex SocketErrorsLine();
}

/// <summary>Programs of the machine.</summary>
internal static class Programs
{
    /// <summary>Where a program is; null: not installed. Looks where Debian puts servers as well.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin")
            .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
