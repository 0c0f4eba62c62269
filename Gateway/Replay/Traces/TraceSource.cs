using System.Globalization;
using Gateway.Replay.Traces.Generators;
using Gateway.Replay.Traces.Readers;

namespace Gateway.Replay.Traces;

/// <summary>Finds what a word names: a trace file in any known format, or a generated workload.</summary>
public static class TraceSource
{
    private static readonly TimeSpan LatestArrival = TimeSpan.FromMilliseconds(1e14);

    /// <summary>Opens a workload: <c>FILE</c>, <c>FORMAT:FILE</c>, <c>FILE+FILE</c> for prompts mixed together, or a generator such as <c>w1:rate=5</c>.</summary>
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

        if (spec.Split(MixedTrace.Mark) is { Length: > 1 } names && Array.TrueForAll(names, File.Exists))
        {
            var each = settings with { RateFactor = 1, Skip = 0, Limit = null };
            return new AdjustedTrace(new MixedTrace([.. names.Select(name => new FileTrace(name, null, each))], settings), settings);
        }

        if (File.Exists(spec))
        {
            return new FileTrace(spec, null, settings);
        }

        throw new TraceException(
            $"{spec}: neither a file nor a generator. Generators: {string.Join(", ", WorkloadTable.Names)}. A file may begin with its format: {string.Join(", ", FormatNames.All)}.");
    }

    /// <summary>Paths that a word may name, whether or not they exist.</summary>
    public static IEnumerable<string> FilesIn(string spec)
    {
        var bare = FormatNames.Find(spec[..Math.Max(0, spec.IndexOf(':', StringComparison.Ordinal))]) is null ? spec : spec[(spec.IndexOf(':', StringComparison.Ordinal) + 1)..];
        return [bare, .. bare.Split(MixedTrace.Mark)];
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

        if (settings.Skip < 0)
        {
            throw new TraceException("The requests left out must not be negative.");
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

    /// <summary>The first rows left out, arrivals scaled, rows counted.</summary>
    private static IEnumerable<TraceRequest> Adjust(IEnumerable<TraceRequest> rows, TraceSettings settings, string name)
    {
        var (seen, most) = (0L, settings.Limit ?? long.MaxValue);
        var origin = TimeSpan.Zero;
        foreach (var row in rows)
        {
            if (++seen <= settings.Skip)
            {
                continue;
            }

            origin = settings.Skip > 0 && seen == settings.Skip + 1 ? row.Arrival : origin;
            if (row.Arrival - origin > LatestArrival * Math.Min(1, settings.RateFactor))
            {
                throw new TraceException(string.Create(CultureInfo.InvariantCulture, $"{name}: request {seen} would come more than 1e14 ms after the first. Use a larger rate factor, or fewer requests."));
            }
            yield return settings.RateFactor == 1 && settings.Skip == 0 ? row : row with { Arrival = (row.Arrival - origin) / settings.RateFactor };
            if (seen - settings.Skip == most)
            {
                yield break;
            }
        }

        if (seen <= settings.Skip)
        {
            throw new TraceException(string.Create(CultureInfo.InvariantCulture, $"{name}: {settings.Skip} requests are to be left out, and there are no more than {seen}."));
        }
    }

    private sealed class GeneratedTrace(string spec, IWorkload workload, TraceSettings settings) : ITrace
    {
        public string Name => spec;

        public IEnumerable<TraceRequest> Read() => Adjust(workload.Generate(settings.Seed), settings, Name);
    }

    private sealed class AdjustedTrace(ITrace trace, TraceSettings settings) : ITrace
    {
        public string Name => trace.Name;

        public IEnumerable<TraceRequest> Read() => Adjust(trace.Read(), settings, Name);
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

        public IEnumerable<TraceRequest> Read() => Adjust(Rows(), _settings, Name);

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
