using System.Globalization;
using System.Text;

namespace Gateway.Tests.EndToEnd.Soak;

/// <summary>What a process holds at one moment.</summary>
/// <param name="Seconds">Since the beginning.</param>
/// <param name="ResidentBytes">Memory in use, as the system counts.</param>
/// <param name="HeapBytes">Managed heap after the last collection.</param>
/// <param name="Handles">Open files and sockets.</param>
/// <param name="Requests">Answered since the beginning.</param>
internal readonly record struct SoakSample(double Seconds, long ResidentBytes, long HeapBytes, int Handles, long Requests);

/// <summary>Draws samples over time as one SVG that needs nothing else.</summary>
internal static class SoakPlot
{
    private const int Width = 900;
    private const int Height = 150;
    private const int Left = 90;
    private const int Gap = 50;

    public static string Of(IReadOnlyList<SoakSample> samples)
    {
        (string Name, Func<SoakSample, double> Value)[] rows =
        [
            ("resident memory [MiB]", sample => sample.ResidentBytes / 1_048_576.0), ("managed heap after the last collection [MiB]", sample => sample.HeapBytes / 1_048_576.0),
            ("open files and sockets", sample => sample.Handles), ("requests answered", sample => sample.Requests),
        ];
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Width + Left + 20}\" height=\"{rows.Length * (Height + Gap) + Gap}\" font-family=\"sans-serif\" font-size=\"13\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
        for (var i = 0; i < rows.Length; i++)
        {
            Draw(svg, rows[i].Name, [.. samples.Select(sample => (sample.Seconds, rows[i].Value(sample)))], Gap + (i * (Height + Gap)));
        }
        return svg.Append("</svg>").ToString();
    }

    // The axis begins at 0, so that flat looks flat.
    private static void Draw(StringBuilder svg, string name, (double Seconds, double Value)[] points, int top)
    {
        var (longest, most) = (Math.Max(1, points[^1].Seconds), Math.Max(1, points.Max(point => point.Value) * 1.1));
        var line = string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{Left + (point.Seconds / longest * Width):0.0},{top + Height - (point.Value / most * Height):0.0}")));
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"{top - 8}\">{name}</text>");
        svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{Left},{top}v{Height}h{Width}\" fill=\"none\" stroke=\"#888\"/><polyline points=\"{line}\" fill=\"none\" stroke=\"#0a58ca\" stroke-width=\"1.5\"/>");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 8}\" y=\"{top + 10}\" text-anchor=\"end\">{most:0}</text><text x=\"{Left - 8}\" y=\"{top + Height}\" text-anchor=\"end\">0</text>");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left + Width}\" y=\"{top + Height + 16}\" text-anchor=\"end\">{longest:0} s</text>");
    }
}
