using System.Globalization;

namespace Gateway.Tests.Benchmarks.Proxy;

/// <summary>
/// What does a whole request cost in the gateway, beside bare YARP and nginx? One instant backend; the proxies take turns, each in a process of its own.
/// </summary>
internal static class ProxyBenchmark
{
    private const string Baseline = "yarp";
    private const int WarmUpFactor = 2;

    private static readonly string Filler = string.Concat(Enumerable.Repeat("the quick brown fox jumps over the lazy dog ", 20));

    private static readonly (string Name, string Body)[] Kinds =
    [
        ("1 KB JSON", $$"""{"model":"{{FakeBackend.Model}}","messages":[{"role":"user","content":"{{Filler}}"}]}"""),
        ("SSE of 64 chunks", $$"""{"model":"{{FakeBackend.Model}}","stream":true,"messages":[{"role":"user","content":"{{Filler}}"}]}"""),
        ("SSE of 64 chunks, 12 ms apart", $$"""{"model":"{{FakeBackend.Model}}","stream":true,{{FakeBackend.Paced}},"messages":[{"role":"user","content":"{{Filler}}"}]}"""),
    ];

    private sealed record Sample(string Kind, string Server, double PerSecond, double CpuMicroseconds);

    public static async Task<int> RunAsync(IReadOnlyList<string> options)
    {
        var seconds = Option(options, "--seconds", 5);
        var rounds = Option(options, "--rounds", 3);
        var directory = Directory.CreateTempSubdirectory("gateway-bench-").FullName;
        var servers = new List<MeasuredProcess>();
        var samples = new List<Sample>();
        var failures = 0L;
        try
        {
            servers.AddRange(await StartAsync(directory));
            foreach (var (kind, body) in Kinds)
            {
                var load = new Load(body, directory);
                foreach (var server in servers)
                {
                    // Until the runtime has compiled what is hot.
                    await load.RunAsync(server.Url, WarmUpFactor * seconds);
                }
                for (var round = 0; round < rounds; round++)
                {
                    foreach (var server in servers)
                    {
                        var before = server.Cpu;
                        var result = await load.RunAsync(server.Url, seconds);
                        var cpu = server.Cpu - before;
                        failures += result.Failures;
                        samples.Add(new Sample(kind, server.Name, result.Requests / result.Elapsed.TotalSeconds, cpu.TotalMicroseconds / Math.Max(1, result.Requests)));
                    }
                }
            }
            Print(servers, samples, failures);
            return failures == 0 ? 0 : 1;
        }
        finally
        {
            servers.ForEach(server => server.Dispose());
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<List<MeasuredProcess>> StartAsync(string directory)
    {
        var (backendPort, yarpPort, gatewayPort, nginxPort) = (MeasuredProcess.FreePort(), MeasuredProcess.FreePort(), MeasuredProcess.FreePort(), MeasuredProcess.FreePort());
        var dotnet = Environment.ProcessPath!;
        var self = Path.Combine(AppContext.BaseDirectory, "Gateway.Tests.dll");
        string[] prefix = Path.GetFileNameWithoutExtension(dotnet) == "dotnet" ? [self] : [];
        var backend = await MeasuredProcess.StartAsync("direct", backendPort, dotnet, [.. prefix, "backend", Text(backendPort)]);
        var yarp = await MeasuredProcess.StartAsync(Baseline, yarpPort, dotnet, [.. prefix, "yarp", Text(yarpPort), backend.Url.AbsoluteUri]);
        var config = Path.Combine(directory, "gateway.yaml");
        await File.WriteAllTextAsync(config, $"""
            listen: http://127.0.0.1:{gatewayPort}
            models:
              - name: {FakeBackend.Model}
                engine: openai
                replicas:
                  - url: {backend.Url.AbsoluteUri}
            telemetry:
              accessLog: "off"
            """);
        var gateway = await MeasuredProcess.StartAsync(
            "gateway", gatewayPort, "dotnet", Path.Combine(AppContext.BaseDirectory, "gateway.dll"), "serve", "--config", config);
        List<MeasuredProcess> servers = [backend, yarp, gateway];
        if (Programs.Find("nginx") is { } nginx)
        {
            var file = Path.Combine(directory, "nginx.conf");
            await File.WriteAllTextAsync(file, NginxConfiguration(directory, nginxPort, backend.Url));
            servers.Add(await MeasuredProcess.StartAsync("nginx", nginxPort, nginx, "-c", file, "-e", Path.Combine(directory, "error.log")));
        }
        await ReadyAsync(gateway.Url);
        return servers;
    }

    private static async Task ReadyAsync(Uri gateway)
    {
        using var http = new HttpClient();
        for (var attempt = 0; attempt < 200; attempt++)
        {
            using var response = await http.GetAsync(new Uri(gateway, "/readyz"));
            if (response.IsSuccessStatusCode)
            {
                return;
            }
            await Task.Delay(TimeSpan.FromMilliseconds(50));
        }
        throw new TimeoutException("The gateway did not become ready.");
    }

    // One process, so that its processor time is all of it; stream events pass at once, as every user of nginx must configure it.
    private static string NginxConfiguration(string directory, int port, Uri backend) => $$"""
        daemon off;
        master_process off;
        pid {{directory}}/nginx.pid;
        error_log {{directory}}/error.log;
        events { worker_connections 1024; }
        http {
          access_log off;
          client_body_temp_path {{directory}}/body;
          proxy_temp_path {{directory}}/proxy;
          fastcgi_temp_path {{directory}}/fastcgi;
          uwsgi_temp_path {{directory}}/uwsgi;
          scgi_temp_path {{directory}}/scgi;
          keepalive_requests 1000000;
          upstream backend { server {{backend.Host}}:{{backend.Port}}; keepalive 64; keepalive_requests 1000000; }
          server {
            listen 127.0.0.1:{{port}};
            location / {
              proxy_pass http://backend;
              proxy_http_version 1.1;
              proxy_set_header Connection "";
              proxy_buffering off;
            }
          }
        }
        """;

    private static void Print(List<MeasuredProcess> servers, List<Sample> samples, long failures)
    {
        Console.WriteLine(Say($"driven by {(Load.HasWrk ? "wrk -t1 -c32" : "HttpClient, 32 at once")}; median of the rounds; {failures} failed requests"));
        foreach (var kind in samples.GroupBy(sample => sample.Kind))
        {
            var baseline = Median(kind.Where(sample => sample.Server == Baseline).Select(sample => sample.CpuMicroseconds));
            var baselineRate = Median(kind.Where(sample => sample.Server == Baseline).Select(sample => sample.PerSecond));
            Console.WriteLine();
            Console.WriteLine(Say($"| {kind.Key} | requests/s | of yarp | CPU µs per request | of yarp | rounds (CPU µs) |"));
            Console.WriteLine("|---|---|---|---|---|---|");
            foreach (var server in kind.GroupBy(sample => sample.Server))
            {
                var (rate, cpu) = (Median(server.Select(sample => sample.PerSecond)), Median(server.Select(sample => sample.CpuMicroseconds)));
                var all = string.Join(", ", server.Select(sample => Say($"{sample.CpuMicroseconds:0.0}")));
                Console.WriteLine(Say($"| {server.Key} | {rate:0} | {rate / baselineRate:0.00} | {cpu:0.0} | {cpu / baseline:0.00} | {all} |"));
            }
        }
        Console.WriteLine();
        Console.WriteLine("resident MiB at the end: " + string.Join(", ", servers.Select(server => Say($"{server.Name} {server.MemoryMiB:0}"))));
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private static int Option(IReadOnlyList<string> options, string name, int otherwise)
    {
        var at = options.ToList().IndexOf(name);
        return at >= 0 && at + 1 < options.Count ? int.Parse(options[at + 1], CultureInfo.InvariantCulture) : otherwise;
    }

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
