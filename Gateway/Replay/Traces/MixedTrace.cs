using Gateway.Replay.Traces.Generators;

namespace Gateway.Replay.Traces;

/// <summary>The single prompts of several files, shuffled together by the seed and paired with one arrival process. Each file is a client of its own, named by the file.</summary>
/// <param name="files">Two or more.</param>
/// <param name="settings">Its seed shuffles; its arrivals are those of the mixture.</param>
internal sealed class MixedTrace(IReadOnlyList<ITrace> files, TraceSettings settings) : ITrace
{
    /// <summary>Between the names of two files.</summary>
    public const char Mark = '+';

    public string Name => string.Join(Mark, files.Select(file => file.Name));

    public IEnumerable<TraceRequest> Read()
    {
        var rows = files.SelectMany(file => file.Read().Select(row => SingleOf(row, file.Name))).ToArray();
        Chance.Stream(settings.Seed, "mixture").Shuffle(rows);
        var arrivals = ArrivalProcess.Parse(settings.Arrivals).Times(Chance.Stream(settings.Seed, "arrivals"));
        return rows.Zip(arrivals, (row, arrival) => row with { Arrival = arrival });
    }

    private static TraceRequest SingleOf(TraceRequest row, string name) => row.SessionId is null
        ? row with { ClientId = name }
        : throw new TraceException($"{name}: holds turns of sessions, whose order a mixture would lose. Mix files of single prompts only.");
}
