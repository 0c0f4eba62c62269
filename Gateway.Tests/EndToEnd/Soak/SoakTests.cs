using System.Globalization;
using System.Text;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.EndToEnd.Soak;

/// <summary>One gateway process under a steady mix of streams, plain answers, departures, mistakes and failing engines: what it holds does not grow.</summary>
public sealed class SoakTests(ITestOutputHelper output)
{
    private const int Clients = 8;
    private const int Samples = 300;

    /// <summary>How long the long run takes: <c>GATEWAY_SOAK_SECONDS</c>, or half an hour.</summary>
    private static readonly int LongSeconds =
        int.TryParse(Environment.GetEnvironmentVariable("GATEWAY_SOAK_SECONDS"), CultureInfo.InvariantCulture, out var seconds) && seconds > 0 ? seconds : 1_800;

    [Fact]
    public async Task Serve_ForSeconds_IsSampledAndPlotted()
    {
        var samples = await RunAsync(TimeSpan.FromSeconds(3));

        Assert.True(samples.Count > 3 && samples[^1].Requests > 0);
        Assert.All(samples, sample => Assert.True(sample is { ResidentBytes: > 1 << 20, Handles: > 10 }));
        var svg = SoakPlot.Of(samples);
        Assert.Equal(4, System.Xml.Linq.XDocument.Parse(svg).Descendants().Count(element => element.Name.LocalName == "polyline"));
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task Serve_ForHalfAnHour_HoldsNoMoreThanAtTheBeginning()
    {
        var samples = await RunAsync(TimeSpan.FromSeconds(LongSeconds));

        var folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, "TestResults"));
        var file = Path.Combine(folder.FullName, "soak.svg");
        await File.WriteAllTextAsync(file, SoakPlot.Of(samples));
        var (early, late) = (Quarter(samples, 1), Quarter(samples, 3));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{LongSeconds} s, {samples[^1].Requests} requests; second quarter → last quarter, medians: resident {early.ResidentBytes >> 20} → {late.ResidentBytes >> 20} MiB, heap {early.HeapBytes >> 20} → {late.HeapBytes >> 20} MiB, handles {early.Handles} → {late.Handles}"));
        output.WriteLine($"plot: {file}");
        // What a runtime takes at its leisure is a few MiB; a leak grows with the requests.
        Assert.InRange(late.ResidentBytes, 0, (early.ResidentBytes * 11 / 10) + (16 << 20));
        Assert.InRange(late.HeapBytes, 0, (early.HeapBytes * 12 / 10) + (8 << 20));
        Assert.InRange(late.Handles, 0, early.Handles + 20);
    }

    private static SoakSample Quarter(List<SoakSample> samples, int quarter)
    {
        var part = samples.Skip(samples.Count * quarter / 4).Take(Math.Max(1, samples.Count / 4)).ToList();
        return new SoakSample(
            part[0].Seconds, Median(part, sample => sample.ResidentBytes), Median(part, sample => sample.HeapBytes), (int)Median(part, sample => sample.Handles), part[^1].Requests);
    }

    private static long Median(List<SoakSample> samples, Func<SoakSample, long> value) => samples.Select(value).Order().ElementAt(samples.Count / 2);

    private static async Task<List<SoakSample>> RunAsync(TimeSpan duration)
    {
        await using var good = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 4 }, CancellationToken.None);
        await using var bad = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 4, Seed = 1, Faults = new() { FailRate = 0.05, MalformedFrameAt = 2 } }, CancellationToken.None);
        await using var served = await ServedFile.StartAsync([good.Uri, bad.Uri]);
        using var ends = new CancellationTokenSource();
        long answered = 0;
        var load = Task.WhenAll(Enumerable.Range(0, Clients).Select(client => AskAsync(served, new Random(client), () => Interlocked.Increment(ref answered), ends.Token)));
        var samples = new List<SoakSample>();
        var since = TimeProvider.System.GetTimestamp();
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(Math.Max(200, duration.TotalMilliseconds / Samples)));
        while (TimeProvider.System.GetElapsedTime(since) < duration)
        {
            await looks.WaitForNextTickAsync(CancellationToken.None);
            samples.Add(new SoakSample(
                TimeProvider.System.GetElapsedTime(since).TotalSeconds, served.Process.ResidentBytes,
                (long)await served.Client.MetricAsync("dotnet_gc_last_collection_heap_size_bytes"), served.Process.Handles, Interlocked.Read(ref answered)));
        }
        await ends.CancelAsync();
        await load;
        return samples;
    }

    // Each prompt is new, so that whatever is kept by prompt, session or length has something to keep.
    private static async Task AskAsync(ServedFile served, Random chance, Action onAnswered, CancellationToken ends)
    {
        for (var i = 0; !ends.IsCancellationRequested; i++)
        {
            var prompt = $"{Chat.Words(chance.Next(5, 400), chance.Next(1_000_000))} answer with {chance.Next(1, 40)} tokens";
            using var leave = CancellationTokenSource.CreateLinkedTokenSource(ends);
            if (chance.Next(8) == 0)
            {
                leave.CancelAfter(TimeSpan.FromMilliseconds(chance.Next(1, 80)));
            }
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
            {
                Content = new StringContent(chance.Next(20) == 0 ? "{\"model\":" : Chat.Body(prompt, isStreaming: chance.Next(3) > 0), Encoding.UTF8, "application/json"),
            };
            request.Headers.Add("x-session-id", $"s{chance.Next(100_000)}");
            try
            {
                using var response = await served.Client.SendAsync(request, leave.Token);
                onAnswered();
            }
            catch (OperationCanceledException) when (leave.IsCancellationRequested)
            {
                // The client left, or the run is over.
            }
        }
    }
}
