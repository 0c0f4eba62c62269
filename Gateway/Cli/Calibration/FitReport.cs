using System.Globalization;
using Gateway.Replay.Calibration;

namespace Gateway.Cli.Calibration;

/// <summary>A fit as plain text: the constants, how sure they are, and how well they predict.</summary>
internal static class FitReport
{
    // Three for each of the ten constants.
    private const int FewSpans = 30;

    public static IEnumerable<string> Lines(ProfileFit fit)
    {
        yield return $"{"constant",-32}{"value",14}   certainty";
        foreach (var piece in fit.Pieces)
        {
            var certainty = piece switch
            {
                { IsKept: true } => $"kept from {fit.BaseProfile}: not told by the data",
                { Deviation: double.NaN } when piece.Value > 0 => "fitted, from too few spans to say how well",
                { Deviation: { } deviation } when piece.Value > 0 => string.Create(CultureInfo.InvariantCulture, $"± {100 * deviation / piece.Value:0.#} %"),
                { Value: 0 } => "at its lower limit: too small to be seen",
                _ => "fitted",
            };
            yield return string.Create(CultureInfo.InvariantCulture, $"{piece.Name,-32}{piece.Value,14:G4}   {certainty}");
        }

        if (fit.RequestMilliseconds is { } request)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{"(per request, not in the profile)",-32}{request,14:G4}   network, HTTP, tokenizer");
        }

        yield return "";
        yield return $"{"spans",-12}{"count",8}{"median error",16}{"p90 error",14}{"R2",10}";
        foreach (var row in fit.Quality)
        {
            var name = row.Kind?.ToString().ToLowerInvariant() ?? "all";
            yield return string.Create(CultureInfo.InvariantCulture, $"{name,-12}{row.Count,8}{row.MedianError * 100,14:0.00} %{row.P90Error * 100,12:0.00} %{row.R2,10:0.0000}");
        }

        if (fit.Outliers > 0)
        {
            yield return $"Left out, since apart from the rest: {Counted.Of(fit.Outliers, "span")}.";
        }

        if (Caution(fit) is { } caution)
        {
            yield return caution;
        }
    }

    /// <summary>What belongs into the head of the file.</summary>
    public static IEnumerable<string> Notes(ProfileFit fit)
    {
        yield return "Engine profile, fitted by calibrate. Times are milliseconds per step.";
        var all = fit.Quality[^1];
        yield return string.Create(CultureInfo.InvariantCulture, $"{Counted.Of(all.Count, "span")}, median error {all.MedianError * 100:0.00} %, p90 {all.P90Error * 100:0.00} %.");
        if (Caution(fit) is { } caution)
        {
            yield return caution;
        }

        var kept = fit.Pieces.Where(piece => piece.IsKept).Select(piece => piece.Name).ToArray();
        if (kept.Length > 0)
        {
            yield return $"Not told by the data, kept from {fit.BaseProfile}: {string.Join(", ", kept)}.";
        }
    }

    private static string? Caution(ProfileFit fit) => fit.Quality[^1].Count is < FewSpans and var spans
        ? $"Only {Counted.Of(spans, "span")}: this profile is a guess. Some hundred streams, short and long, alone and together, make it one to rely on."
        : null;
}
