using System.Text.Json;
using Gateway.Simulation;
using Xunit.Abstractions;

namespace Gateway.Tests.Simulation;

/// <summary>The engine model against two measured runs of a real engine: same arrivals, same lengths, virtual time.</summary>
public class FidelityTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("RTX4090", "rtx4090-llama-8b", 0.02)]
    [InlineData("RTXPRO6000", "rtxpro6000-llama-8b", 0.02)]
    public void Replay_OfAMeasuredRun_ReproducesItsLatencies(string run, string profileName, double tolerance)
    {
        if (MeasuredRun.Find(run) is not { } measured)
        {
            output.WriteLine("Skipped: no engine-runs under GATEWAY_DATA or ../shared/data.");
            return;
        }

        var model = new EngineModel(EngineProfiles.Find(profileName)!);
        var simulated = VirtualRun.Replay(model, measured.Requests);

        output.WriteLine($"{run}: {simulated.Preemptions} preemptions, makespan {simulated.Makespan:F1} s");
        AssertClose("E2E mean", measured.EndToEnd.Average(), simulated.EndToEnd.Average(), tolerance);
        AssertClose("E2E p50", Quantile(measured.EndToEnd, 0.5), Quantile(simulated.EndToEnd, 0.5), 0.05);
        AssertClose("E2E p90", Quantile(measured.EndToEnd, 0.9), Quantile(simulated.EndToEnd, 0.9), tolerance);
        AssertClose("E2E p99", Quantile(measured.EndToEnd, 0.99), Quantile(simulated.EndToEnd, 0.99), tolerance);
        AssertClose("TTFT mean", measured.FirstToken.Average(), simulated.FirstToken.Average(), tolerance);
        AssertClose("TTFT p90", Quantile(measured.FirstToken, 0.9), Quantile(simulated.FirstToken, 0.9), 0.05);
    }

    private void AssertClose(string name, double real, double simulated, double tolerance)
    {
        var error = (simulated / real) - 1;
        output.WriteLine($"  {name,-10} real {real,8:F2} s   simulated {simulated,8:F2} s   {error,7:P2}");
        Assert.True(Math.Abs(error) <= tolerance, $"{name} is off by {error:P2}");
    }

    private static double Quantile(double[] values, double share)
    {
        var sorted = values.Order().ToArray();
        return sorted[(int)(share * sorted.Length)];
    }

    private sealed record MeasuredRun(VirtualRequest[] Requests, double[] EndToEnd, double[] FirstToken)
    {
        public static MeasuredRun? Find(string run)
        {
            if (TestData.Find($"engine-runs/{run}_requests.jsonl") is not { } file)
            {
                return null;
            }

            var rows = File.ReadLines(file).Select(line => JsonDocument.Parse(line).RootElement).OrderBy(row => row.GetProperty("queued_ts").GetDouble()).ToArray();
            var start = rows[0].GetProperty("queued_ts").GetDouble();
            double Since(JsonElement row, string name) => row.GetProperty(name).GetDouble() - row.GetProperty("queued_ts").GetDouble();
            return new MeasuredRun(
                [.. rows.Select(row => new VirtualRequest(
                    TimeSpan.FromSeconds(row.GetProperty("queued_ts").GetDouble() - start),
                    new EngineRequest { PromptTokens = row.GetProperty("input_toks").GetInt32(), OutputTokens = row.GetProperty("output_toks").GetInt32() }))],
                [.. rows.Select(row => Since(row, "last_token_ts"))],
                [.. rows.Select(row => Since(row, "first_token_ts"))]);
        }
    }
}
