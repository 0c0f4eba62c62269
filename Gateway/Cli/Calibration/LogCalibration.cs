using Gateway.Configuration;
using Gateway.Replay.Calibration;
using Gateway.Simulation;

namespace Gateway.Cli.Calibration;

/// <summary>A calibration from a gateway's access log, without touching an engine.</summary>
internal static class LogCalibration
{
    /// <summary>Reads and fits.</summary>
    /// <param name="path">The log.</param>
    /// <param name="model">Only this model's requests; null: every model's.</param>
    /// <param name="baseProfile">Lends what cannot be told, and the engine's limits.</param>
    /// <param name="problems">What is wrong with the file; empty where nothing is.</param>
    public static CalibrationResult Run(string path, string? model, EngineProfile baseProfile, out IReadOnlyList<ConfigurationProblem> problems)
    {
        IReadOnlyList<LoggedRequest>? requests;
        try
        {
            using var lines = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
            (requests, problems) = AccessLogReader.Read(lines, path, model);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            (requests, problems) = (null, [new ConfigurationProblem(SourceSpot.Of(path), "", "The file cannot be read.", null)]);
        }

        if (requests is null)
        {
            return new CalibrationResult(null, [], null);
        }

        var observations = LogObservations.From(requests, baseProfile.MaxBatchedTokens);
        if (ProfileFitter.Fit(observations, baseProfile) is not { } fit)
        {
            return new CalibrationResult(null, [], $"{path} has no answered stream with its times and token counts{(model is null ? "" : $" for \"{model}\"")}.");
        }

        var replicas = requests.Select(request => request.Replica).Distinct(StringComparer.Ordinal).Count();
        var source = FormattableString.Invariant($"calibrate --log: {requests.Count} requests of {replicas} replicas, {observations.Count} spans");
        string[] notes =
        [
            FormattableString.Invariant($"{requests.Count} answered streams on {replicas} replicas; {observations.Count} spans."),
            $"KV room and limits are not in a log; kept from {baseProfile.Name}.",
        ];
        return new CalibrationResult(fit with { Profile = fit.Profile with { Source = source } }, notes, null);
    }
}
