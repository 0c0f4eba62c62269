using Gateway.Replay.Calibration;
using Gateway.Replay.Traces;
using Gateway.Simulation;

namespace Gateway.Cli.Calibration;

/// <summary>A calibration from a gateway's access log, without touching an engine.</summary>
internal static class LogCalibration
{
    /// <summary>Reads and fits.</summary>
    /// <param name="path">The log, plain or gzip.</param>
    /// <param name="model">Only this model's requests; null: every model's.</param>
    /// <param name="baseProfile">Lends what cannot be told, and the engine's limits.</param>
    /// <exception cref="TraceException">The log cannot be read, or has broken lines.</exception>
    public static CalibrationResult Run(string path, string? model, EngineProfile baseProfile)
    {
        var requests = LoggedRequestReader.Read(path, model);
        var observations = LogObservations.From(requests, baseProfile.MaxBatchedTokens);
        if (ProfileFitter.Fit(observations, baseProfile) is not { } fit)
        {
            return new CalibrationResult(null, [], $"{path} has no answered stream with its times and token counts{(model is null ? "" : $" for \"{model}\"")}.");
        }

        var replicas = requests.Select(request => request.Replica).Distinct(StringComparer.Ordinal).Count();
        var source = $"calibrate --log: {Counted.Of(requests.Count, "request")} of {Counted.Of(replicas, "replica")}, {Counted.Of(observations.Count, "span")}";
        string[] notes =
        [
            $"{Counted.Of(requests.Count, "answered stream")} on {Counted.Of(replicas, "replica")}; {Counted.Of(observations.Count, "span")}.",
            $"KV room and limits are not in a log; kept from {baseProfile.Name}.",
        ];
        return new CalibrationResult(fit with { Profile = fit.Profile with { Source = source } }, notes, null);
    }
}
