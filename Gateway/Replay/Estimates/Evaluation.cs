namespace Gateway.Replay.Estimates;

/// <summary>Takes one forecaster through training and test rows. Each forecast is made before its row is learned, if it is learned at all.</summary>
public static class Evaluation
{
    /// <summary>Requests that are asked between a request and the lesson of its answer: about what is in flight.</summary>
    public const int FeedbackDelay = 20;

    /// <param name="forecaster">Is changed by it.</param>
    /// <param name="training">Learned first, in this order.</param>
    /// <param name="test">Foretold in this order.</param>
    /// <param name="isOnline">Tested rows are learned too, <see cref="FeedbackDelay"/> requests later.</param>
    /// <param name="onRow">Told of every row.</param>
    /// <param name="cancellationToken">Ends it between two rows.</param>
    /// <returns>A forecast for every row of <paramref name="test"/>.</returns>
    public static IReadOnlyList<ScoredRow> Run(
        ILengthForecaster forecaster, IReadOnlyList<LabelledRequest> training, IReadOnlyList<LabelledRequest> test,
        bool isOnline, Action onRow, CancellationToken cancellationToken)
    {
        foreach (var row in training)
        {
            cancellationToken.ThrowIfCancellationRequested();
            forecaster.Train(row);
            onRow();
        }
        var scored = new ScoredRow[test.Count];
        for (var i = 0; i < scored.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (isOnline && i > FeedbackDelay)
            {
                forecaster.Learn(test[i - FeedbackDelay - 1]);
            }
            scored[i] = new ScoredRow(test[i], forecaster.Forecast(test[i]));
            onRow();
        }
        return scored;
    }
}
