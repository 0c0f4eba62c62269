namespace Gateway.Replay.Calibration;

/// <summary>From the token times of probes to spans with known steps. Pure; robust against single late tokens.</summary>
public static class StreamObservations
{
    private const int LeastGaps = 4;
    private const double TrimmedShare = 0.1;
    private const double SlowGap = 1.6;

    private static readonly int[] UsualBudgets = [256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768];

    /// <summary>Times to first token of equal prompts on an idle engine: the middle one.</summary>
    public static StepObservation? Prefill(IReadOnlyList<StreamTiming> repeats, int maxBatchedTokens)
    {
        if (repeats.Count == 0)
        {
            return null;
        }

        var middle = repeats.OrderBy(each => each.TimeToFirstToken).ElementAt(repeats.Count / 2);
        var steps = StepLoads.Prefill(middle.PromptTokens, middle.CachedTokens, maxBatchedTokens).Select(load => new StepCount(load, 1)).ToArray();
        return new StepObservation(ObservationKind.Prefill, steps, 1, middle.TimeToFirstToken);
    }

    /// <summary>Answers that ran side by side, and prompts of one token's answer that were thrown in meanwhile.</summary>
    /// <param name="streams">Answers of several tokens that were sent together.</param>
    /// <param name="guests">Prompts thrown in one after the other, ascending.</param>
    /// <param name="maxBatchedTokens">Largest step; a guest that does not fit one step beside the answers is left out.</param>
    public static List<StepObservation> Together(IReadOnlyList<StreamTiming> streams, IReadOnlyList<StreamTiming> guests, int maxBatchedTokens)
    {
        var observations = new List<StepObservation>();
        var (from, to) = (streams.Max(each => each.TokenTimes[0]), streams.Min(each => each.TokenTimes[^1]));
        var start = from;
        foreach (var guest in guests.Where(guest => guest.SentAt >= from && guest.TokenTimes[0] < to))
        {
            AddDecode(streams, start, guest.SentAt, observations);
            AddMixed(streams, guest, maxBatchedTokens, observations);
            start = guest.TokenTimes[0];
        }

        AddDecode(streams, start, to, observations);
        return observations;
    }

    /// <summary>How many of the answers ran at once at most, and whether some had to wait for others to end.</summary>
    public static (int Running, bool IsLimited) Concurrency(IReadOnlyList<StreamTiming> streams)
    {
        var most = streams.Max(each => streams.Count(other => other.TokenTimes[0] <= each.TokenTimes[0] && other.TokenTimes[^1] >= each.TokenTimes[0]));
        return (most, streams.Max(each => each.TokenTimes[0]) > streams.Min(each => each.TokenTimes[^1]));
    }

    /// <summary>Tokens per step, from the number of slow gaps that one long prompt caused in a running answer; null where it took one step only.</summary>
    public static int? TokenBudget(StreamTiming answer, StreamTiming guest)
    {
        var gaps = Gaps(answer, answer.TokenTimes[0], guest.SentAt).Select(gap => gap.Milliseconds).Order().ToArray();
        if (gaps.Length < LeastGaps || answer.TokenTimes[^1] < guest.TokenTimes[0])
        {
            return null;
        }

        var usual = gaps[gaps.Length / 2];
        var chunks = Gaps(answer, guest.SentAt - (1000 * usual), guest.TokenTimes[0] + (usual / 2)).Count(gap => gap.EndsAt > guest.SentAt && gap.Milliseconds > SlowGap * usual);
        if (chunks < 2)
        {
            return null;
        }

        var tokens = guest.PromptTokens - guest.CachedTokens;
        var nearest = UsualBudgets.MinBy(budget => Math.Abs(Chunks(budget) - chunks));
        return Math.Abs(Chunks(nearest) - chunks) <= chunks / 8 ? nearest : (tokens + chunks - 1) / chunks;

        int Chunks(int budget) => (tokens + budget - 2) / (budget - 1);
    }

    private static void AddDecode(IReadOnlyList<StreamTiming> streams, double from, double to, List<StepObservation> observations)
    {
        var all = new List<double>();
        var context = 0.0;
        foreach (var stream in streams)
        {
            var gaps = Gaps(stream, from, to).ToArray();
            if (gaps.Length < LeastGaps)
            {
                return;
            }

            context += gaps.Average(gap => gap.ContextTokens);
            all.AddRange(gaps.Select(gap => gap.Milliseconds));
        }

        var load = StepLoads.Decode(streams.Count, (long)Math.Round(context));
        observations.Add(new StepObservation(ObservationKind.Decode, [new StepCount(load, 1)], 0, TrimmedMean(all)));
    }

    private static void AddMixed(IReadOnlyList<StreamTiming> streams, StreamTiming guest, int maxBatchedTokens, List<StepObservation> observations)
    {
        var longest = new List<double>();
        var context = 0.0;
        foreach (var stream in streams)
        {
            var gaps = Gaps(stream, double.NegativeInfinity, double.PositiveInfinity).Where(gap => gap.EndsAt > guest.SentAt).ToArray();
            var usual = gaps.Select(gap => gap.Milliseconds).Order().ElementAtOrDefault(gaps.Length / 2);
            var during = gaps.Where(gap => gap.EndsAt <= guest.TokenTimes[0] + (usual / 2)).ToArray();
            if (during.Length == 0)
            {
                return;
            }

            var slowest = during.MaxBy(gap => gap.Milliseconds);
            longest.Add(slowest.Milliseconds);
            context += slowest.ContextTokens;
        }

        var steps = StepLoads.Prefill(guest.PromptTokens, guest.CachedTokens, maxBatchedTokens, streams.Count, (long)context).ToArray();
        if (steps.Length == 1)
        {
            longest.Sort();
            observations.Add(new StepObservation(ObservationKind.Mixed, [new StepCount(steps[0], 1)], 0, longest[longest.Count / 2]));
        }
    }

    private static IEnumerable<Gap> Gaps(StreamTiming stream, double from, double to)
    {
        for (var index = 1; index < stream.TokenTimes.Count; index++)
        {
            var (begins, ends) = (stream.TokenTimes[index - 1], stream.TokenTimes[index]);
            if (begins >= from && ends <= to)
            {
                yield return new Gap(ends, ends - begins, stream.PromptTokens + index - 1);
            }
        }
    }

    private static double TrimmedMean(List<double> values)
    {
        values.Sort();
        var trimmed = (int)(TrimmedShare * values.Count);
        return values.Skip(trimmed).Take(values.Count - (2 * trimmed)).Average();
    }

    private readonly record struct Gap(double EndsAt, double Milliseconds, int ContextTokens);
}
