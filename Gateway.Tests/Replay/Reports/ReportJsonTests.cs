using System.Text;
using System.Text.Json;
using Gateway.Replay.Reports;

namespace Gateway.Tests.Replay.Reports;

public sealed class ReportJsonTests
{
    [Fact]
    public void Write_OfASmallRun_IsTheGoldenText()
    {
        var json = Encoding.UTF8.GetString(ReportJson.Write(SmallReport()));

        Assert.Equal(Golden, json);
    }

    [Fact]
    public void Write_OfEqualRuns_IsEqualBytes()
    {
        var first = ReportJson.Write(MadeUpRuns.Report(3, 1_000, sweep: true, measured: true));
        var second = ReportJson.Write(MadeUpRuns.Report(3, 1_000, sweep: true, measured: true));

        Assert.Equal(first, second);
    }

    [Fact]
    public void Write_OfASweep_HoldsTheRateAtEachBound()
    {
        using var json = JsonDocument.Parse(ReportJson.Write(MadeUpRuns.Report(2, 500, sweep: true)));

        var bounds = json.RootElement.GetProperty("rateAtBound").EnumerateArray().ToArray();

        Assert.Equal(8, bounds.Length);
        Assert.Equal("ttft.mean", bounds[0].GetProperty("metric").GetString());
        Assert.InRange(bounds[0].GetProperty("rate").GetDouble(), 8, 10);
        Assert.Equal(6, json.RootElement.GetProperty("sweeps")[1].GetProperty("points").GetArrayLength());
    }

    private static ReplayReport SmallReport()
    {
        var statistics = new RunStatistics(new SloLimits(TimeSpan.FromSeconds(1)));
        statistics.OnQueue(new QueueSample(TimeSpan.Zero, 1));
        statistics.OnSample(new ReplicaSample(TimeSpan.FromMilliseconds(10), 0, 2, 1, 1.0 / 3));
        statistics.OnRequest(new RequestResult
        {
            Outcome = ReplayOutcome.Completed,
            QueueWait = TimeSpan.FromMilliseconds(2),
            TimeToFirstToken = TimeSpan.FromMilliseconds(5),
            EndToEnd = TimeSpan.FromMilliseconds(20),
            InputTokens = 3,
            OutputTokens = 4,
            CachedTokens = 1,
            EstimatedOutputTokens = 6,
        });
        statistics.OnEnd(TimeSpan.FromMilliseconds(20), 1, [new EngineTotals(5, 0.02, 0, 3, 1, 7)]);
        return new ReplayReport
        {
            Trace = "small",
            Fleet = "1 replica",
            Seed = 1,
            Slo = new SloLimits(TimeSpan.FromSeconds(1)),
            Runs = [new PolicyRun("default", statistics.Summarize())],
        };
    }

    private const string Golden = """
        {
          "trace": "small",
          "fleet": "1 replica",
          "seed": 1,
          "slo": {
            "ttft": 1,
            "tpot": null,
            "e2e": null
          },
          "runs": [
            {
              "policy": "default",
              "duration": 0.02,
              "completed": 1,
              "refused": 0,
              "tooLarge": 0,
              "failed": 0,
              "roughPercentiles": true,
              "ttft": {
                "count": 1,
                "mean": 0.005,
                "p50": 0.005,
                "p90": 0.005,
                "p99": 0.005,
                "max": 0.005
              },
              "tpot": {
                "count": 1,
                "mean": 0.005,
                "p50": 0.005,
                "p90": 0.005,
                "p99": 0.005,
                "max": 0.005
              },
              "e2e": {
                "count": 1,
                "mean": 0.02,
                "p50": 0.02,
                "p90": 0.02,
                "p99": 0.02,
                "max": 0.02
              },
              "queueWait": {
                "count": 1,
                "mean": 0.002,
                "p50": 0.002,
                "p90": 0.002,
                "p99": 0.002,
                "max": 0.002
              },
              "normalizedLatency": {
                "count": 1,
                "mean": 0.005,
                "p50": 0.005,
                "p90": 0.005,
                "p99": 0.005,
                "max": 0.005
              },
              "requestsPerSecond": 50,
              "outputTokensPerSecond": 200,
              "totalTokensPerSecond": 350,
              "goodput": 50,
              "goodShare": 1,
              "preemptions": 0,
              "engineSteps": 5,
              "kvUsageMean": 0.333333,
              "kvUsageMax": 0.333333,
              "prefixHitShare": 0.333333,
              "cachedTokenShare": 0.333333,
              "maxQueueDepth": 1,
              "maxRunning": 2,
              "maxWaiting": 1,
              "clients": null,
              "jainIndex": null,
              "clientTtftRatio": null,
              "busyMaxOverMean": 1,
              "tokenVariation": 0,
              "decisions": 1,
              "estimateMeanAbsoluteError": 2,
              "estimateCoveredShare": 1,
              "classes": [
                {
                  "priority": "interactive",
                  "ttft": {
                    "count": 1,
                    "mean": 0.005,
                    "p50": 0.005,
                    "p90": 0.005,
                    "p99": 0.005,
                    "max": 0.005
                  },
                  "e2e": {
                    "count": 1,
                    "mean": 0.02,
                    "p50": 0.02,
                    "p90": 0.02,
                    "p99": 0.02,
                    "max": 0.02
                  },
                  "goodput": 50,
                  "goodShare": 1
                }
              ],
              "cdf": {
                "ttft": [[0.005,0],[0.005,1]],
                "tpot": [[0.005,0],[0.005,1]],
                "e2e": [[0.02,0],[0.02,1]]
              },
              "timeline": {
                "windowSeconds": 0.01,
                "queueDepth": [1,1,1],
                "running": [0,2,2],
                "waiting": [0,1,1],
                "kvUsage": [0,0.33333,0.33333],
                "completedPerSecond": [0,0,100]
              }
            }
          ],
          "sweeps": [],
          "rateAtBound": [],
          "comparisons": []
        }

        """;
}
