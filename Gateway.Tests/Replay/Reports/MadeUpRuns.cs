using Gateway.Replay.Reports;
using Gateway.Requests;

namespace Gateway.Tests.Replay.Reports;

/// <summary>Runs drawn from a seed, in the shape of real ones: a burst that fills a queue and drains again.</summary>
internal static class MadeUpRuns
{
    public static RunSummary Draw(int seed, int requests, double slowness = 1, double rate = 10, int clients = 5)
    {
        var chance = new Random(seed);
        var statistics = new RunStatistics(new SloLimits(TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(60)));
        var seconds = requests / rate;
        var end = TimeSpan.Zero;
        for (var i = 0; i < requests; i++)
        {
            var arrival = TimeSpan.FromSeconds(i / rate);
            var pressure = Pressure(i / rate, seconds);
            var output = (int)Math.Clamp(Math.Exp(5 + chance.NextDouble() - chance.NextDouble()), 1, 4_000);
            var wait = slowness * pressure * 8 * chance.NextDouble();
            var first = wait + 0.04 + (0.3 * chance.NextDouble() * slowness);
            var each = 0.02 + (0.03 * pressure * chance.NextDouble());
            var result = new RequestResult
            {
                Outcome = chance.Next(200) == 0 ? ReplayOutcome.Refused : ReplayOutcome.Completed,
                Arrival = arrival,
                QueueWait = TimeSpan.FromSeconds(wait),
                TimeToFirstToken = TimeSpan.FromSeconds(first),
                EndToEnd = TimeSpan.FromSeconds(first + (each * (output - 1))),
                InputTokens = 200 + chance.Next(2_000),
                OutputTokens = output,
                CachedTokens = chance.Next(200),
                EstimatedOutputTokens = output * (0.5 + chance.NextDouble()),
                ClientId = $"client-{chance.Next(clients)}",
                Priority = chance.Next(4) == 0 ? PriorityClass.Interactive : PriorityClass.Default,
            };
            statistics.OnRequest(result);
            var last = arrival + result.EndToEnd;
            end = last > end ? last : end;
        }
        AddSamples(statistics, chance, end, seconds, slowness);
        statistics.OnEnd(end, requests, [.. Enumerable.Range(0, 4).Select(i => new EngineTotals(
            10_000 + i, end.TotalSeconds * (0.7 + (0.05 * i)), (long)(40 * slowness * i), 1_000_000, (long)(400_000 / slowness), 900_000 + (30_000 * i)))]);
        return statistics.Summarize();
    }

    public static ReplayReport Report(int policies, int requests, bool sweep = false, bool measured = false)
    {
        string[] names = ["default", "round_robin", "least_requests", "power_of_two", "smg_cache_aware", "dynamo_cost", "llmd_weighted", "lmetric", "sal", "preble_e2/wspt/past_future/oracle"];
        double[] rates = [4, 6, 8, 10, 12, 14];
        return new ReplayReport
        {
            Trace = "azure-code-2024.csv",
            Fleet = "4 × rtx4090-llama-8b",
            Seed = 7,
            Slo = new SloLimits(TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(60)),
            Runs = [.. names.Take(policies).Select((name, i) => new PolicyRun(name, Draw(i + 1, requests, 0.7 + (0.12 * i))))],
            Sweeps = !sweep ? [] : [.. names.Take(policies).Select((name, i) => new SweepResult(
                name, rates.Select(rate => new SweepPoint(rate, Draw(i + 1, 500, (0.7 + (0.12 * i)) * Math.Exp((rate - 8) / 4), rate)))))],
            Comparisons = !measured ? [] : [new MeasuredComparison("RTX 4090", Draw(1, 300, 6), Draw(2, 300, 6.1))],
        };
    }

    private static void AddSamples(RunStatistics statistics, Random chance, TimeSpan end, double seconds, double slowness)
    {
        for (var at = TimeSpan.Zero; at <= end; at += TimeSpan.FromSeconds(0.5))
        {
            var pressure = Pressure(at.TotalSeconds, seconds);
            statistics.OnQueue(new QueueSample(at, (int)(80 * pressure * slowness)));
            for (var replica = 0; replica < 4; replica++)
            {
                var running = (int)(45 * pressure) + chance.Next(4);
                statistics.OnSample(new ReplicaSample(at, replica, running, (int)(6 * pressure * slowness * chance.NextDouble()), Math.Min(1, running / 50.0)));
            }
        }
    }

    private static double Pressure(double at, double seconds) =>
        at > seconds ? Math.Max(0, 0.4 - ((at - seconds) / 40)) : 0.15 + (0.85 * Math.Exp(-Math.Pow((at - (0.4 * seconds)) / (0.2 * seconds), 2)));
}
