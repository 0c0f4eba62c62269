using System.Globalization;
using System.Text;
using Gateway.Queueing;
using Microsoft.Extensions.Logging;

namespace Gateway.Telemetry;

/// <summary>One debug line per decision: what was decided, and what each replica would have cost. Never text of a request. Thread-safe.</summary>
public sealed partial class DecisionLog(ILogger<DecisionLog> logger)
{
    /// <summary>Whether anybody reads it: explaining a decision costs more than making it.</summary>
    public bool IsOn => logger.IsEnabled(LogLevel.Debug);

    /// <param name="requestId">The request's id.</param>
    /// <param name="model">The pool's name.</param>
    /// <param name="decided">What was decided.</param>
    /// <param name="before">How things stood when the request came.</param>
    public void Write(string requestId, string model, in AdmissionResult decided, Explanation before)
    {
        if (IsOn)
        {
            var (replica, waitedMs) = (decided.Reservation?.Replica.Id ?? "none", (long)decided.Waited.TotalMilliseconds);
            var candidates = CandidatesOf(before);
            var (reason, hold) = (decided.Reservation is null ? "none" : GatewayMeters.WordOf(decided.Reason), decided.HeldFor == HoldReason.None ? "none" : GatewayMeters.WordOf(decided.HeldFor));
            Log.Decided(logger, requestId, model, decided.Outcome, replica, reason, hold, waitedMs, before.Ahead, before.Rank, candidates);
        }
    }

    /// <summary>One more line on what a second policy would have done.</summary>
    /// <param name="requestId">The request's id.</param>
    /// <param name="model">The pool's name.</param>
    /// <param name="policy">The second policy; null: there is none.</param>
    /// <param name="shadow">Its choice; null: it was not asked.</param>
    /// <param name="ahead">Who would have gone before the request when it came; null: unknown.</param>
    public void WriteShadow(string requestId, string model, string? policy, Deviation? shadow, int? ahead)
    {
        if (IsOn && policy is not null && shadow is { } other)
        {
            Log.Shadowed(logger, requestId, model, policy, other.Replica.Id, ahead, other.RegretSeconds);
        }
    }

    private static string CandidatesOf(Explanation explanation)
    {
        var text = new StringBuilder();
        var unit = explanation.CostsAreSeconds ? "s" : "";
        foreach (var candidate in explanation.Candidates)
        {
            text.Append(CultureInfo.InvariantCulture, $"{(text.Length > 0 ? "; " : "")}{candidate.Candidate.Replica.Id}{(candidate.HasRoom ? "" : " (full)")} {Shown(candidate.CostSeconds)}{unit}");
            foreach (var (scorer, seconds) in candidate.Parts)
            {
                text.Append(CultureInfo.InvariantCulture, $" {scorer} {Shown(seconds)}{unit}");
            }
        }
        return text.ToString();
    }

    // A cost that only says "not this one" may have three hundred digits.
    private static string Shown(double cost) => cost.ToString(Math.Abs(cost) < 1e9 ? "0.####" : "0.#e0", CultureInfo.InvariantCulture);

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Debug, SkipEnabledCheck = true, Message =
            "decision {RequestId} {Model}: {Outcome}, replica {Replica} for {Reason}, held for {Hold}, {WaitedMs} ms; when it came: {Ahead} ahead, rank {Rank}, candidates: {Candidates}")]
        public static partial void Decided(
            ILogger logger, string requestId, string model, AdmissionOutcome outcome, string replica, string reason, string hold, long waitedMs,
            int ahead, double rank, string candidates);

        [LoggerMessage(Level = LogLevel.Debug, SkipEnabledCheck = true, Message =
            "shadow {RequestId} {Model}: {Policy} would have chosen {Replica}, {Ahead} ahead; regret of this answer {RegretSeconds} s")]
        public static partial void Shadowed(ILogger logger, string requestId, string model, string policy, string replica, int? ahead, double regretSeconds);
    }
}
