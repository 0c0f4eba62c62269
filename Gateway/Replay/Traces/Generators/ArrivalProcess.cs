namespace Gateway.Replay.Traces.Generators;

/// <summary>When requests come: gaps of one mean, Gamma distributed with a coefficient of variation; 1 is Poisson, 0 a metronome.</summary>
internal sealed class ArrivalProcess(double perSecond, double variation)
{
    /// <summary>Reads <c>poisson:rate=1</c>, <c>gamma:rate=1,cv=4</c> or <c>uniform:rate=1</c>.</summary>
    /// <exception cref="TraceException">Another name or wrong parameters.</exception>
    public static ArrivalProcess Parse(string spec)
    {
        var words = WorkloadSpec.Parse(spec);
        double? variation = words.Name switch { "poisson" => 1, "gamma" => 4, "uniform" => 0, _ => null };
        var process = variation is { } usual
            ? Of(words, 1, usual)
            : throw new TraceException($"{words.Name}: no such arrival process. Known: poisson, gamma, uniform.");
        words.RefuseUnknown();
        return process;
    }

    /// <summary>The parameters rate and cv of a workload.</summary>
    public static ArrivalProcess Of(WorkloadSpec words, double perSecond, double variation) =>
        new(words.Number("rate", perSecond, 1e-6, 1e6), words.Number("cv", variation, 0, 100));

    /// <summary>Arrival times without end, from the first gap on, never falling.</summary>
    public IEnumerable<TimeSpan> Times(Random chance)
    {
        var seconds = 0.0;
        var shape = variation > 0 ? 1 / (variation * variation) : 0;
        while (true)
        {
            var gap = variation == 0 ? 1 : variation == 1 ? chance.Exponential() : chance.Gamma(shape) / shape;
            seconds += gap / perSecond;
            yield return TimeSpan.FromTicks((long)(seconds * TimeSpan.TicksPerSecond));
        }
    }
}
