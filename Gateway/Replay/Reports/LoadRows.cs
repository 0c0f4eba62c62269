namespace Gateway.Replay.Reports;

/// <summary>The figures of a load in words, for the terminal and the page.</summary>
internal static class LoadRows
{
    /// <summary>Name and value of each figure.</summary>
    public static IEnumerable<(string Name, string Value)> Of(LoadFigures load)
    {
        yield return ("requests", $"{ReportColumn.Count(load.Sent)} sent, at most {ReportColumn.Count(load.MostOpen)} open at once");
        yield return ("rate", $"{ReportColumn.Number(load.OfferedRate)} req/s offered, {ReportColumn.Number(load.SentRate)} req/s sent");
        yield return ("generator late by", $"mean {Milliseconds(load.Lateness.Mean)}, p99 {Milliseconds(load.Lateness.P99)}, max {Milliseconds(load.Lateness.Max)}");
        if (load.Replicas.Count > 0)
        {
            yield return ("answers per replica", Counts(load.Replicas));
        }
        yield return ("failures", load.Failures.Count == 0 ? "none" : Counts(load.Failures));
        if (load.GivenUp > 0)
        {
            yield return ("given up", $"{ReportColumn.Count(load.GivenUp)} open when the run was stopped");
        }
    }

    /// <summary>What a reader must know before the figures; null: nothing.</summary>
    public static string? Warning(LoadFigures load) => load.IsLate
        ? $"The generator was too slow: p99 of its lateness is above {Milliseconds(LoadFigures.TolerableLatenessSeconds)}. Give it its own machine, or lower the rate."
        : null;

    private static string Milliseconds(double seconds) => ReportColumn.Number(seconds * 1000) + " ms";

    private static string Counts(IReadOnlyList<NamedCount> counts) => string.Join(", ", counts.Select(count => $"{ReportColumn.Count(count.Count)} × {count.Name}"));
}
