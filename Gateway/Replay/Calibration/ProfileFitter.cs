using Gateway.Simulation;

namespace Gateway.Replay.Calibration;

/// <summary>
/// From measured spans to an engine profile: non-negative least squares on relative errors. What the spans cannot tell apart keeps the base profile's value
/// and is marked so. Pure and deterministic.
/// </summary>
public static class ProfileFitter
{
    /// <summary>Spans used at most; of more, every n-th is taken.</summary>
    public const int MaxObservations = 20_000;

    /// <summary>A column of which less than this share is its own says nothing that another does not say as well.</summary>
    private const double LeastIndependence = 0.004;
    private const double MostMixedFactor = 4;
    private const double OutlierDeviations = 5;
    private const int TrimRounds = 3;
    private const int SearchSteps = 48;

    /// <summary>Fits a profile.</summary>
    /// <param name="observations">Spans; those that are not above 0 and finite, or have no steps, are left out.</param>
    /// <param name="baseProfile">Lends name, limits and whatever cannot be told.</param>
    /// <returns>Null where there is no usable span at all.</returns>
    public static ProfileFit? Fit(IReadOnlyList<StepObservation> observations, EngineProfile baseProfile)
    {
        var usable = observations.Where(each => double.IsFinite(each.Milliseconds) && each.Milliseconds > 0 && each.Steps.Count > 0).ToArray();
        if (usable.Length == 0)
        {
            return null;
        }

        var every = (usable.Length + MaxObservations - 1) / MaxObservations;
        var kept = usable.Where((_, index) => index % every == 0).ToArray();
        var taken = kept.Length;
        var columns = new StepColumns(baseProfile, kept.Max(each => each.Steps.Max(step => step.Load.Tokens)));
        var solution = Search(kept, columns, baseProfile);
        for (var round = 0; round < TrimRounds; round++)
        {
            var near = WithoutOutliers(kept, columns, solution);
            if (near.Length == kept.Length || near.Length < 3 * columns.Count)
            {
                break;
            }

            kept = near;
            solution = Search(kept, columns, baseProfile);
        }

        return Report(kept, taken - kept.Length, columns, solution, baseProfile);
    }

    private static Solution Search(StepObservation[] observations, StepColumns columns, EngineProfile baseProfile)
    {
        var mixed = observations.Where(each => each.Steps.Any(step => step.Load is { PrefillChunks: > 0, Decodes: > 0 })).ToArray();
        var atBase = Solve(observations, columns, baseProfile.MixedDecodeFactor);
        if (mixed.Length < 2 || !IsMixedTold(mixed, columns, atBase))
        {
            return atBase;
        }

        // The residual has one valley over the factor: golden section.
        var golden = (Math.Sqrt(5) - 1) / 2;
        var (low, high) = (1.0, MostMixedFactor);
        var (left, right) = (high - (golden * (high - low)), low + (golden * (high - low)));
        var (atLeft, atRight) = (Solve(observations, columns, left), Solve(observations, columns, right));
        for (var step = 0; step < SearchSteps; step++)
        {
            if (atLeft.Residual <= atRight.Residual)
            {
                (high, right, atRight) = (right, left, atLeft);
                left = high - (golden * (high - low));
                atLeft = Solve(observations, columns, left);
            }
            else
            {
                (low, left, atLeft) = (left, right, atRight);
                right = low + (golden * (high - low));
                atRight = Solve(observations, columns, right);
            }
        }

        var best = atLeft.Residual <= atRight.Residual ? atLeft : atRight;
        return best with { IsMixedFitted = true };
    }

    /// <summary>Whether decode attention is a visible part of some step that it shares with a chunk.</summary>
    private static bool IsMixedTold(StepObservation[] mixed, StepColumns columns, Solution solution)
    {
        var row = new double[columns.Count];
        return mixed.Any(each =>
        {
            columns.Fill(each, 1, row);
            var attention = (row[columns.DecodePerSequence] * solution.Values[columns.DecodePerSequence])
                + (row[columns.DecodePerContextToken] * solution.Values[columns.DecodePerContextToken]);
            return attention > 0.03 * each.Milliseconds;
        });
    }

    private static Solution Solve(StepObservation[] observations, StepColumns columns, double mixedFactor)
    {
        var triangle = Fold(observations, columns, mixedFactor, null);
        var free = Enumerable.Range(0, columns.Count).ToList();
        while (free.Count > 1)
        {
            // Later columns go first where several are equally empty: the constant part of a step is what every span tells about.
            var weakest = free.OrderBy(column => triangle.Independence(column, free)).ThenByDescending(column => column).First();
            if (triangle.Independence(weakest, free) >= LeastIndependence)
            {
                break;
            }

            free.Remove(weakest);
        }

        var values = columns.BaseValues();
        foreach (var column in free)
        {
            values[column] = 0;
        }

        triangle = Fold(observations, columns, mixedFactor, values);
        var solved = triangle.NonNegative(free, out var residual);
        foreach (var column in free)
        {
            values[column] = solved[column];
        }

        // With no span beyond the constants the fit goes through every one of them, however wrong.
        var spare = observations.Length - free.Count;
        var scale = spare > 0 ? residual / Math.Sqrt(spare) : double.NaN;
        var deviations = triangle.Deviations([.. free.Where(column => solved[column] > 0)]).Select(deviation => deviation * scale).ToArray();
        return new Solution(values, free, deviations, mixedFactor, residual, IsMixedFitted: false);
    }

    /// <summary>The rows relative to their spans; what is known, and the given values, are on the other side.</summary>
    private static LeastSquares Fold(StepObservation[] observations, StepColumns columns, double mixedFactor, double[]? given)
    {
        var triangle = new LeastSquares(columns.Count);
        var row = new double[columns.Count];
        foreach (var observation in observations)
        {
            var left = observation.Milliseconds - columns.Fill(observation, mixedFactor, row);
            for (var column = 0; column < row.Length; column++)
            {
                left -= given is null ? 0 : given[column] * row[column];
                row[column] /= observation.Milliseconds;
            }

            triangle.Add(row, left / observation.Milliseconds);
        }

        return triangle;
    }

    private static StepObservation[] WithoutOutliers(StepObservation[] observations, StepColumns columns, Solution solution)
    {
        var errors = observations.Select(each => Error(each, columns, solution)).ToArray();
        var limit = Math.Max(1e-6, OutlierDeviations * 1.4826 * Quantile(errors, 0.5));
        return [.. observations.Where((_, index) => errors[index] <= limit)];
    }

    private static double Predict(StepObservation observation, StepColumns columns, Solution solution)
    {
        var row = new double[columns.Count];
        var sum = columns.Fill(observation, solution.MixedFactor, row);
        for (var column = 0; column < row.Length; column++)
        {
            sum += row[column] * solution.Values[column];
        }

        return sum;
    }

    private static double Error(StepObservation observation, StepColumns columns, Solution solution) =>
        Math.Abs(Predict(observation, columns, solution) - observation.Milliseconds) / observation.Milliseconds;

    private static ProfileFit Report(StepObservation[] kept, int outliers, StepColumns columns, Solution solution, EngineProfile baseProfile)
    {
        var isRequestFree = solution.Free.Contains(columns.Request);
        var quality = Enum.GetValues<ObservationKind>().Select(kind => Quality(kind, [.. kept.Where(each => each.Kind == kind)], columns, solution)).OfType<FitQuality>();
        return new ProfileFit
        {
            Profile = columns.ToProfile(solution.Values, solution.MixedFactor),
            BaseProfile = baseProfile.Name,
            Pieces = Pieces(columns, solution),
            RequestMilliseconds = isRequestFree ? solution.Values[columns.Request] : null,
            Quality = [.. quality, Quality(null, kept, columns, solution)!],
            Outliers = outliers,
        };
    }

    private static List<FittedPiece> Pieces(StepColumns columns, Solution solution)
    {
        var pieces = new List<FittedPiece> { Piece("base", 0) };
        for (var segment = 0; segment < columns.Segments; segment++)
        {
            var isLast = segment + 1 == columns.Segments;
            pieces.Add(Piece(isLast ? $"layersPerToken above {columns.Knot(segment)}" : $"layersPerToken {columns.Knot(segment)} to {columns.Knot(segment + 1)}", 1 + segment));
        }

        pieces.Add(Piece("decodePerSequence", columns.DecodePerSequence));
        pieces.Add(Piece("decodePerContextToken", columns.DecodePerContextToken));
        pieces.Add(Piece("prefillPerTokenPair", columns.PrefillPerTokenPair));
        pieces.Add(new FittedPiece("mixedDecodeFactor", solution.MixedFactor, null, !solution.IsMixedFitted));
        return pieces;

        FittedPiece Piece(string name, int column) => solution.Free.Contains(column)
            ? new FittedPiece(name, solution.Values[column], solution.Deviations[column], false)
            : new FittedPiece(name, solution.Values[column], null, true);
    }

    private static FitQuality? Quality(ObservationKind? kind, StepObservation[] observations, StepColumns columns, Solution solution)
    {
        if (observations.Length == 0)
        {
            return null;
        }

        var errors = observations.Select(each => Error(each, columns, solution)).ToArray();
        var mean = observations.Average(each => each.Milliseconds);
        var spread = observations.Sum(each => (each.Milliseconds - mean) * (each.Milliseconds - mean));
        var missed = observations.Sum(each => Math.Pow(Predict(each, columns, solution) - each.Milliseconds, 2));
        return new FitQuality(kind, observations.Length, Quantile(errors, 0.5), Quantile(errors, 0.9), spread > 0 ? 1 - (missed / spread) : double.NaN);
    }

    private static double Quantile(double[] values, double share)
    {
        var sorted = values.Order().ToArray();
        return sorted[Math.Min(sorted.Length - 1, (int)(share * sorted.Length))];
    }

    private sealed record Solution(double[] Values, List<int> Free, double[] Deviations, double MixedFactor, double Residual, bool IsMixedFitted);
}
