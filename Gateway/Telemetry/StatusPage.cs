using System.Globalization;
using System.Text.Json;
using Gateway.Queueing.Shadows;
using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Requests;

namespace Gateway.Telemetry;

/// <summary>The last change of the configuration.</summary>
public sealed record ConfigReload(ConfigReloadOutcome Outcome, DateTimeOffset At)
{
    /// <summary>Why it was rejected: file, line, column and what is wrong, as <c>check</c> prints it.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];
}

/// <summary>Which settings are in force, in the words of the file.</summary>
/// <param name="File">Name of the file without its folders; null: there is none.</param>
/// <param name="Sha256">Of that file, in hexadecimal digits.</param>
/// <param name="Mode">How much of the gateway is on; the rest is said after what it makes of them.</param>
/// <param name="Policy">The routing policy, or <c>scorers</c>.</param>
/// <param name="Order">Of the queue.</param>
/// <param name="Admission">Rule by which a replica takes one more.</param>
/// <param name="Fairness">Among clients.</param>
/// <param name="Environment">Names of the variables that override the file.</param>
public sealed record SettingsInForce(
    string? File, string? Sha256, string Mode, string Policy, string Order, string Admission, string Fairness, IReadOnlyList<string> Environment);

/// <summary>What the status page shows beside the fleet.</summary>
public sealed record StatusFacts
{
    public required string Version { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    public required TimeSpan Uptime { get; init; }

    public IEnumerable<QueueDepth> QueueDepths { get; init; } = [];

    public EstimateCalibration? Calibration { get; init; }

    /// <summary>Which requests met their targets; null: nobody counts.</summary>
    public ClassGoodput? Goodput { get; init; }

    /// <summary>What each model foresees; null: nothing does.</summary>
    public Func<string, ModelSignals?>? Signals { get; init; }

    /// <summary>What is in force; null: nobody tells.</summary>
    public SettingsInForce? Settings { get; init; }

    /// <summary>Whether anybody may enter, so that there are no tenants and no keys.</summary>
    public bool IsOpen { get; init; }

    /// <summary>Null: unchanged since the start.</summary>
    public ConfigReload? LastReload { get; init; }

    /// <summary>Lines the access log lost; null where it is off.</summary>
    public long? DroppedLogLines { get; init; }
}

/// <summary>The JSON of <c>/-/status</c> and <c>/-/replicas</c>. What is unknown is null.</summary>
public static class StatusPage
{
    /// <summary>Everything: the process, its pools, queues and estimates.</summary>
    public static void WriteStatus(Utf8JsonWriter json, Fleet fleet, StatusFacts facts)
    {
        json.WriteStartObject();
        json.WriteString("version", facts.Version);
        json.WriteString("started", facts.StartedAt.UtcDateTime);
        json.WriteNumber("uptime_seconds", Math.Round(facts.Uptime.TotalSeconds, 3));
        if (facts.LastReload is { } reload)
        {
            json.WriteStartObject("config_reload");
            json.WriteString("outcome", reload.Outcome == ConfigReloadOutcome.Applied ? "applied" : "rejected");
            json.WriteString("time", reload.At.UtcDateTime);
            WriteTexts(json, "problems", reload.Problems);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("config_reload");
        }
        WriteSettings(json, facts.Settings);
        json.WriteNumberOrNull("access_log_dropped_lines", facts.DroppedLogLines);
        var depths = facts.QueueDepths.ToLookup(depth => depth.Model, StringComparer.Ordinal);
        json.WriteStartArray("models");
        foreach (var pool in fleet.Pools)
        {
            WritePool(json, pool, [.. depths[pool.Name]], facts);
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>All replicas in one list, each with its model.</summary>
    public static void WriteReplicas(Utf8JsonWriter json, Fleet fleet)
    {
        json.WriteStartObject();
        json.WriteStartArray("replicas");
        foreach (var pool in fleet.Pools)
        {
            foreach (var replica in pool.ReplicaList)
            {
                json.WriteStartObject();
                json.WriteString("model", pool.Name);
                WriteReplica(json, replica);
                json.WriteEndObject();
            }
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteSettings(Utf8JsonWriter json, SettingsInForce? settings)
    {
        if (settings is null)
        {
            json.WriteNull("settings");
            return;
        }
        json.WriteStartObject("settings");
        json.WriteString("file", settings.File);
        json.WriteString("sha256", settings.Sha256);
        json.WriteString("mode", settings.Mode);
        json.WriteString("policy", settings.Policy);
        json.WriteString("order", settings.Order);
        json.WriteString("admission", settings.Admission);
        json.WriteString("fairness", settings.Fairness);
        WriteTexts(json, "environment", settings.Environment);
        json.WriteEndObject();
    }

    internal static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
        {
            json.WriteStringValue(text);
        }
        json.WriteEndArray();
    }

    private static void WritePool(Utf8JsonWriter json, Pool pool, QueueDepth[] depths, StatusFacts facts)
    {
        var signals = facts.Signals?.Invoke(pool.Name);
        json.WriteStartObject();
        json.WriteString("model", pool.Name);
        WriteTexts(json, "aliases", pool.Options.Aliases);
        json.WriteBoolean("can_serve", pool.CanServe);
        json.WriteNumberOrNull("context_tokens", pool.ContextTokens);
        json.WriteStartObject("queue");
        foreach (var depth in depths)
        {
            json.WriteNumber(depth.Priority, depth.Waiting);
        }
        json.WriteEndObject();
        json.WriteNumber("desired_replicas", DesiredReplicas.Of(pool, depths.Sum(depth => depth.Waiting), signals?.Demand));
        WriteShadow(json, signals?.Shadow?.Read());
        WriteGoodput(json, pool.Name, facts.Goodput);
        WriteCalibration(json, facts.Calibration?.Read(pool.Name));
        json.WriteStartArray("replicas");
        foreach (var replica in pool.ReplicaList)
        {
            json.WriteStartObject();
            WriteReplica(json, replica);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteShadow(Utf8JsonWriter json, ShadowReading? shadow)
    {
        if (shadow is not { } reading)
        {
            json.WriteNull("shadow");
            return;
        }
        json.WriteStartObject("shadow");
        json.WriteString("policy", reading.Policy);
        json.WriteNumber("answers", reading.Answers);
        json.WriteNumber("regret_seconds", Math.Round(reading.RegretSeconds, 4));
        json.WriteNumber("acting_seconds", Math.Round(reading.ActingSeconds, 4));
        json.WriteNumber("first_token_regret_seconds", Math.Round(reading.FirstTokenRegretSeconds, 4));
        json.WriteNumber("refusal_regret", reading.RefusalRegret);
        json.WriteNumber("decisions", reading.Decisions);
        json.WriteNumber("differing_share", Math.Round(reading.DifferingShare, 4));
        json.WriteEndObject();
    }

    private static void WriteGoodput(Utf8JsonWriter json, string model, ClassGoodput? goodput)
    {
        json.WriteStartObject("goodput");
        foreach (var priority in Enum.GetValues<PriorityClass>())
        {
            if (goodput?.Read(model, priority) is { } reading)
            {
                json.WriteStartObject(priority.Word());
                json.WriteNumber("requests", reading.Requests);
                json.WriteNumber("good", reading.Good);
                json.WriteNumber("per_second", Math.Round(reading.PerSecond, 3));
                json.WriteEndObject();
            }
        }
        json.WriteEndObject();
    }

    private static void WriteCalibration(Utf8JsonWriter json, CalibrationReading? calibration)
    {
        if (calibration is not { } reading)
        {
            json.WriteNull("estimates");
            return;
        }
        json.WriteStartObject("estimates");
        json.WriteNumber("answers", reading.Answers);
        json.WriteNumber("coverage_ratio", Math.Round(reading.CoverageRatio, 4));
        json.WriteNumber("mean_error_tokens", Math.Round(reading.MeanErrorTokens, 1));
        json.WriteNumber("mean_absolute_error_tokens", Math.Round(reading.MeanAbsoluteErrorTokens, 1));
        if (reading.OrderedPairsRatio is { } ordered)
        {
            json.WriteNumber("ordered_pairs_ratio", Math.Round(ordered, 4));
        }
        json.WriteEndObject();
    }

    private static void WriteReplica(Utf8JsonWriter json, Replica replica)
    {
        var ofAll = replica.Snapshot();
        var now = ofAll.WithoutPeers();
        json.WriteString("id", now.Id);
        json.WriteString("url", replica.Address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped));
        json.WriteStartObject("labels");
        foreach (var (name, word) in replica.Labels)
        {
            json.WriteString(name, word);
        }
        json.WriteEndObject();
        var standing = replica.Standing;
        json.WriteString("health", HealthOf(standing.Health));
        json.WriteString("health_reason", standing.Reason);
        json.WriteString("health_since", standing.Since.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        json.WriteNumber("faults_in_a_row", replica.FaultsInARow);
        json.WriteNumber("running_requests", now.RunningRequests);
        json.WriteNumber("running_sequences", now.RunningSequences);
        json.WriteNumber("reserved_tokens", now.ReservedTokens);
        json.WriteNumberOrNull("capacity_tokens", now.CapacityTokens);
        json.WriteNumberOrNull("slots", now.SlotLimit);
        json.WriteNumber("queued_prefill_tokens", now.QueuedPrefillTokens);
        json.WriteNumber("outstanding_tokens", Math.Round(now.OutstandingTokens, 1));
        json.WriteNumber("weight", now.Weight);
        json.WriteNumberOrNull("ledger_drift_tokens", StateGauges.DriftOf(ofAll));
        WriteRates(json, now.Rates);
        json.WriteStartObject("engine");
        json.WriteString("kind", GenAiMeters.ProviderOf(now.Report.Engine));
        json.WriteString("version", now.Report.Version);
        json.WriteNumberOrNull("running_requests", now.Report.RunningRequests);
        json.WriteNumberOrNull("waiting_requests", now.Report.WaitingRequests);
        json.WriteNumberOrNull("kv_usage_ratio", now.Report.KvUsage, 4);
        json.WriteBooleanOrNull("caches_prefixes", now.Report.CachesPrefixes);
        json.WriteNumberOrNull("prefix_hit_tokens", now.Report.PrefixHitTokens);
        json.WriteNumberOrNull("prefix_query_tokens", now.Report.PrefixQueryTokens);
        json.WriteEndObject();
    }

    private static void WriteRates(Utf8JsonWriter json, ServiceRates rates)
    {
        json.WriteStartObject("service");
        json.WriteNumber("answers", rates.Answers);
        json.WriteNumber("first_token_seconds", Math.Round(rates.FirstTokenSeconds, 4));
        json.WriteNumber("prefill_seconds_per_token", Math.Round(rates.PrefillSecondsPerToken, 8));
        json.WriteNumber("step_base_seconds", Math.Round(rates.StepBaseSeconds, 6));
        json.WriteNumber("step_seconds_per_sequence", Math.Round(rates.StepSecondsPerSequence, 8));
        json.WriteNumber("join_seconds", Math.Round(rates.JoinSeconds, 6));
        WriteRate(json, "prefill", rates.Prefill);
        WriteRate(json, "decode", rates.Decode);
        json.WriteEndObject();
    }

    private static void WriteRate(Utf8JsonWriter json, string name, in RateCalibration calibration)
    {
        json.WriteStartObject(name);
        json.WriteNumber("predictions", calibration.Predictions);
        json.WriteNumber("mean_relative_error", Math.Round(calibration.MeanRelativeError, 4));
        json.WriteNumber("coverage_ratio", Math.Round(calibration.CoverageRatio, 4));
        json.WriteEndObject();
    }

    internal static string HealthOf(ReplicaHealth health) => health switch
    {
        ReplicaHealth.Up => "up",
        ReplicaHealth.Down => "down",
        ReplicaHealth.WrongModel => "wrong_model",
        ReplicaHealth.Suspended => "suspended",
        ReplicaHealth.BackingOff => "backing_off",
        ReplicaHealth.Draining => "draining",
        _ => "unknown",
    };
}
