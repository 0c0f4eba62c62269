using Gateway.Simulation;

namespace Gateway.Tests.Simulation;

/// <summary>A request and when it arrives.</summary>
public readonly record struct VirtualRequest(TimeSpan Arrival, EngineRequest Request);

/// <summary>The smallest virtual-time driver of one engine: arrivals in order, steps one after another.</summary>
public sealed record VirtualRun(double[] EndToEnd, double[] FirstToken, long Preemptions, double Makespan)
{
    /// <summary>Seconds per request, in the order of <paramref name="requests"/>, which are sorted by arrival.</summary>
    public static VirtualRun Replay(EngineModel model, ReadOnlySpan<VirtualRequest> requests)
    {
        var (endToEnd, firstToken) = (new double[requests.Length], new double[requests.Length]);
        var byHandle = new int[requests.Length];
        var (next, now) = (0, TimeSpan.Zero);
        while (true)
        {
            for (; next < requests.Length && requests[next].Arrival <= now; next++)
            {
                byHandle[model.Submit(requests[next].Request)] = next;
            }

            var step = model.BeginStep();
            if (step == TimeSpan.Zero)
            {
                if (next == requests.Length)
                {
                    return new VirtualRun(endToEnd, firstToken, model.Counters.Preemptions, now.TotalSeconds);
                }

                now = requests[next].Arrival;
                continue;
            }

            now += step;
            foreach (var token in model.EndStep())
            {
                var since = (now - requests[byHandle[token.Handle]].Arrival).TotalSeconds;
                if (token.Generated == 1)
                {
                    firstToken[byHandle[token.Handle]] = since;
                }

                if (token.IsFinished)
                {
                    endToEnd[byHandle[token.Handle]] = since;
                }
            }
        }
    }
}
