using Gateway.Replay.Calibration;
using Gateway.Simulation;

namespace Gateway.Tests.Replay.Calibration;

public class LogObservationsTests
{
    [Fact]
    public void From_ALoneRequest_GivesItsPrefillAndItsDecodes()
    {
        var spans = LogObservations.From([new LoggedRequest("a", 0, 50, 250, 600, 100, 11)], 2_048);

        Assert.Equal([ObservationKind.Decode, ObservationKind.Prefill], spans.Select(span => span.Kind));
        Assert.Equal((10, 200), (spans[0].Steps.Sum(step => step.Count), spans[0].Milliseconds));
        Assert.Equal((500, 50), (spans[1].Steps[0].Load.Tokens, spans[1].Milliseconds));
    }

    [Fact]
    public void From_RequestsOfDifferentReplicas_DoNotMeet()
    {
        var spans = LogObservations.From([new LoggedRequest("a", 0, 50, 250, 600, 0, 11), new LoggedRequest("b", 0, 50, 250, 600, 0, 11)], 2_048);

        Assert.All(spans.Where(span => span.Kind == ObservationKind.Decode), span => Assert.Equal(1, span.Steps[0].Load.Decodes));
    }

    [Fact]
    public void From_ALogOfTheEngineModel_FitsAProfileThatPredictsTheGrid()
    {
        var truth = EngineProfiles.Rtx4090Llama8B;
        for (var seed = 1; seed <= 3; seed++)
        {
            var log = Run(truth, seed, requests: 1_500);

            var fit = ProfileFitter.Fit(LogObservations.From(log, truth.MaxBatchedTokens), EngineProfiles.A100Llama8B with { MaxBatchedTokens = truth.MaxBatchedTokens })!;

            var error = ProfileFitterTests.MedianErrorOverGrid(truth, fit.Profile);
            Assert.True(error <= 0.08, $"seed {seed}: {error}");
        }
    }

    /// <summary>Requests at random times through the engine's model in virtual time, as a gateway before it would log them.</summary>
    private static List<LoggedRequest> Run(EngineProfile profile, int seed, int requests)
    {
        var chance = new Random(seed);
        var engine = new EngineModel(profile);
        var byHandle = new Dictionary<int, LoggedRequest>();
        var done = new List<LoggedRequest>();
        var (now, next, sent) = (0.0, 0.0, 0);
        while (done.Count < requests)
        {
            while (sent < requests && next <= now)
            {
                var (prompt, output) = (chance.Next(20, 3_000), chance.Next(20, 300));
                byHandle[engine.Submit(new EngineRequest { PromptTokens = prompt, OutputTokens = output })] = new LoggedRequest("a", next, 0, 0, prompt, 0, output);
                sent++;
                next += -Math.Log(1 - chance.NextDouble()) * (sent / 100 % 3) switch { 0 => 6_000, 1 => 1_500, _ => 700 };
            }

            var step = engine.BeginStep();
            if (step == TimeSpan.Zero)
            {
                now = Math.Max(now, next);
                continue;
            }

            now += step.TotalMilliseconds;
            foreach (var token in engine.EndStep())
            {
                var entry = byHandle[token.Handle];
                byHandle[token.Handle] = entry = entry with { FirstTokenAt = entry.FirstTokenAt == 0 ? now : entry.FirstTokenAt, LastTokenAt = now };
                if (token.IsFinished)
                {
                    done.Add(entry);
                }
            }
        }

        return done;
    }
}
