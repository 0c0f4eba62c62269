namespace Gateway.Replay.Calibration;

/// <summary>
/// From answered requests to spans with known steps: who ran beside whom is put together from the overlaps of the requests of one replica. Pure.
/// </summary>
/// <remarks>
/// A span from first to last token is as many steps as tokens; the prompts that others began in it shared one step per chunk, the remaining steps only decoded.
/// A time to first token counts where no other prompt was waiting or being computed beside it, since the order among several is not known from outside.
/// </remarks>
public static class LogObservations
{
    /// <summary>Requests used at most, the first ones.</summary>
    public const int MaxRequests = 200_000;

    private const int LeastSteps = 8;
    private const int MostNeighbours = 4_096;

    /// <summary>Spans of all replicas together.</summary>
    /// <param name="requests">In any order.</param>
    /// <param name="maxBatchedTokens">Largest chunk, by which long prompts take several steps.</param>
    public static List<StepObservation> From(IEnumerable<LoggedRequest> requests, int maxBatchedTokens)
    {
        var observations = new List<StepObservation>();
        foreach (var replica in requests.Take(MaxRequests).GroupBy(request => request.Replica, StringComparer.Ordinal))
        {
            var ordered = replica.OrderBy(request => request.SentAt).ToArray();
            var longest = ordered.Max(request => request.LastTokenAt - request.SentAt);
            for (var index = 0; index < ordered.Length; index++)
            {
                var neighbours = Neighbours(ordered, index, longest);
                if (neighbours.Count > MostNeighbours)
                {
                    continue;
                }

                AddDecode(ordered[index], neighbours, maxBatchedTokens, observations);
                AddFirstToken(ordered[index], neighbours, maxBatchedTokens, observations);
            }
        }

        return observations;
    }

    private static List<LoggedRequest> Neighbours(LoggedRequest[] ordered, int index, double longest)
    {
        var own = ordered[index];
        var neighbours = new List<LoggedRequest>();
        for (var other = index - 1; other >= 0 && ordered[other].SentAt >= own.SentAt - longest; other--)
        {
            if (ordered[other].LastTokenAt > own.SentAt)
            {
                neighbours.Add(ordered[other]);
            }
        }

        for (var other = index + 1; other < ordered.Length && ordered[other].SentAt < own.LastTokenAt; other++)
        {
            neighbours.Add(ordered[other]);
        }

        return neighbours;
    }

    private static void AddDecode(LoggedRequest own, List<LoggedRequest> neighbours, int maxBatchedTokens, List<StepObservation> observations)
    {
        var (steps, span) = (own.OutputTokens - 1, own.LastTokenAt - own.FirstTokenAt);
        if (steps < LeastSteps || span <= 0)
        {
            return;
        }

        var (decodes, context) = (1.0, own.PromptTokens + (own.OutputTokens / 2.0));
        foreach (var other in neighbours)
        {
            var (from, to) = (Math.Max(own.FirstTokenAt, other.FirstTokenAt), Math.Min(own.LastTokenAt, other.LastTokenAt));
            if (to > from)
            {
                var share = (to - from) / span;
                decodes += share;
                context += share * ContextAt((from + to) / 2, other);
            }
        }

        var (sequences, tokens) = ((int)Math.Round(decodes), (long)Math.Round(context));
        var counts = new List<StepCount>();
        foreach (var other in neighbours.Where(other => other.FirstTokenAt > own.FirstTokenAt && other.FirstTokenAt <= own.LastTokenAt))
        {
            counts.AddRange(StepLoads.Prefill(other.PromptTokens, other.CachedTokens, maxBatchedTokens, sequences, tokens).Select(load => new StepCount(load, 1)));
        }

        if (counts.Count < steps)
        {
            var kind = counts.Count == 0 ? ObservationKind.Decode : ObservationKind.Mixed;
            counts.Add(new StepCount(StepLoads.Decode(sequences, tokens), steps - counts.Count));
            observations.Add(new StepObservation(kind, counts, 0, span));
        }
    }

    private static void AddFirstToken(LoggedRequest own, List<LoggedRequest> neighbours, int maxBatchedTokens, List<StepObservation> observations)
    {
        var span = own.FirstTokenAt - own.SentAt;
        if (span <= 0 || neighbours.Exists(other => other.SentAt < own.FirstTokenAt && other.FirstTokenAt > own.SentAt))
        {
            return;
        }

        var running = neighbours.Where(other => other.FirstTokenAt <= own.SentAt && other.LastTokenAt >= own.FirstTokenAt).ToArray();
        var context = (long)running.Sum(other => ContextAt(own.SentAt, other));
        var counts = StepLoads.Prefill(own.PromptTokens, own.CachedTokens, maxBatchedTokens, running.Length, context).Select(load => new StepCount(load, 1)).ToList();
        if (running.Length > 0)
        {
            // A request arrives in the middle of a step on average.
            counts.Add(new StepCount(StepLoads.Decode(running.Length, context), 0.5));
        }

        observations.Add(new StepObservation(running.Length == 0 ? ObservationKind.Prefill : ObservationKind.Mixed, counts, 1, span));
    }

    private static double ContextAt(double moment, LoggedRequest request)
    {
        var span = request.LastTokenAt - request.FirstTokenAt;
        return request.PromptTokens + (span <= 0 ? 0 : Math.Clamp((moment - request.FirstTokenAt) / span, 0, 1) * request.OutputTokens);
    }
}
