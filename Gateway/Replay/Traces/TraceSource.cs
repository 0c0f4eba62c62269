using Gateway.Replay.Traces.Generators;
using Gateway.Replay.Traces.Readers;

namespace Gateway.Replay.Traces;

/// <summary>Finds what a word names: a trace file in any known format, or a generated workload.</summary>
public static class TraceSource
{
    /// <summary>Opens a workload: <c>FILE</c>, <c>FORMAT:FILE</c>, or a generator such as <c>w1:rate=5</c>.</summary>
    /// <exception cref="TraceException">Nothing of that name, an unknown format, or wrong parameters; says what is allowed.</exception>
    public static ITrace Open(string spec, TraceSettings settings)
    {
        Check(settings);
        var colon = spec.IndexOf(':', StringComparison.Ordinal);
        var head = colon < 0 ? spec : spec[..colon];
        if (colon > 0 && FormatNames.Find(head) is { } format)
        {
            return new FileTrace(spec[(colon + 1)..], format, settings);
        }

        if (WorkloadTable.Has(head))
        {
            return new GeneratedTrace(spec, WorkloadTable.Create(WorkloadSpec.Parse(spec)), settings);
        }

        if (File.Exists(spec))
        {
            return new FileTrace(spec, null, settings);
        }

        throw new TraceException(
            $"{spec}: neither a file nor a generator. Generators: {string.Join(", ", WorkloadTable.Names)}. A file may begin with its format: {string.Join(", ", FormatNames.All)}.");
    }

    private static void Check(TraceSettings settings)
    {
        if (!double.IsFinite(settings.RateFactor) || settings.RateFactor is < 1e-6 or > 1e6)
        {
            throw new TraceException("The rate factor must be a number from 0.000001 to 1000000.");
        }

        if (settings.Limit is < 1)
        {
            throw new TraceException("The limit of requests must be at least 1.");
        }

        if (settings.Think < TimeSpan.Zero)
        {
            throw new TraceException("The pause between turns must not be negative.");
        }

        if (settings.BlockTokens is < 1 or > 65_536)
        {
            throw new TraceException("Tokens per block must be from 1 to 65536.");
        }

        _ = ArrivalProcess.Parse(settings.Arrivals);
    }

    /// <summary>Arrivals scaled, rows counted.</summary>
    internal static IEnumerable<TraceRequest> Adjust(IEnumerable<TraceRequest> rows, TraceSettings settings)
    {
        var left = settings.Limit ?? long.MaxValue;
        foreach (var row in rows)
        {
            yield return settings.RateFactor == 1 ? row : row with { Arrival = row.Arrival / settings.RateFactor };
            if (--left == 0)
            {
                yield break;
            }
        }
    }

    private sealed class GeneratedTrace(string spec, IWorkload workload, TraceSettings settings) : ITrace
    {
        public string Name => spec;

        public IEnumerable<TraceRequest> Read() => Adjust(workload.Generate(settings.Seed), settings);
    }

    private sealed class FileTrace : ITrace
    {
        private readonly string _path;
        private readonly TraceFormat _format;
        private readonly TraceSettings _settings;

        public FileTrace(string path, TraceFormat? format, TraceSettings settings)
        {
            (_path, _settings) = (path, settings);
            Name = Path.GetFileName(path);
            using var file = TraceFiles.Open(path);
            var found = FormatDetector.Detect(new LineReader(file, Name));
            _format = format ?? found ?? throw FormatDetector.Unknown(Name);
        }

        public string Name { get; }

        public IEnumerable<TraceRequest> Read() => Adjust(Rows(), _settings);

        private IEnumerable<TraceRequest> Rows()
        {
            using var file = TraceFiles.Open(_path);
            foreach (var row in TraceReaders.Read(_format, new LineReader(file, Name), _settings))
            {
                yield return row;
            }
        }
    }
}
