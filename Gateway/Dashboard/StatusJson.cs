using System.Text.Json;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Telemetry;

namespace Gateway.Dashboard;

/// <summary>What a viewer looks at, and what it has already.</summary>
/// <param name="Model">A pool's name; null: all.</param>
/// <param name="Find">A part of the replicas' names.</param>
/// <param name="Seen">Number of the last decision that it was sent.</param>
internal sealed record StatusView(string? Model, string Find, long Seen);

/// <summary>One event of the status page. Bounded, whatever the fleet; what is unknown is null.</summary>
internal static class StatusJson
{
    private const int MaxModels = 100;
    private const int MaxTenants = 50;
    private const int MaxProblems = 10;

    /// <returns>Number of the last decision in it.</returns>
    public static long Write(Utf8JsonWriter json, Fleet fleet, StatusFacts facts, StatusBoard board, StatusView view)
    {
        var rows = FleetRows.Of(fleet, view.Model, view.Find);
        json.WriteStartObject();
        json.WriteString("version", facts.Version);
        json.WriteNumber("uptime_seconds", Math.Round(facts.Uptime.TotalSeconds));
        json.WriteBoolean("is_open", facts.IsOpen);
        WriteReload(json, facts.LastReload);
        WriteModels(json, fleet, facts);
        WriteQueue(json, facts, board, view.Model);
        json.WriteNumber("failed_last_minute", board.Failures.LastMinute(view.Model));
        WriteFleet(json, rows);
        WriteLatencies(json, board.Latencies, view.Model);
        var seen = WriteDecisions(json, board.Decisions, view);
        json.WriteEndObject();
        return seen;
    }

    private static void WriteReload(Utf8JsonWriter json, ConfigReload? reload)
    {
        if (reload is not { Outcome: ConfigReloadOutcome.Rejected })
        {
            json.WriteNull("rejected_reload");
            return;
        }
        json.WriteStartObject("rejected_reload");
        json.WriteNumber("time_ms", reload.At.ToUnixTimeMilliseconds());
        json.WriteNumber("count", reload.Problems.Count);
        StatusPage.WriteTexts(json, "problems", reload.Problems.Take(MaxProblems));
        json.WriteEndObject();
    }

    private static void WriteModels(Utf8JsonWriter json, Fleet fleet, StatusFacts facts)
    {
        json.WriteStartArray("models");
        foreach (var pool in fleet.Pools.Take(MaxModels))
        {
            json.WriteStartObject();
            json.WriteString("model", pool.Name);
            json.WriteBoolean("can_serve", pool.CanServe);
            if (facts.Calibration?.Read(pool.Name) is { } reading)
            {
                json.WriteNumber("answers", reading.Answers);
                json.WriteNumber("coverage_ratio", Math.Round(reading.CoverageRatio, 4));
                json.WriteNumber("mean_error_tokens", Math.Round(reading.MeanErrorTokens, 1));
                json.WriteNumber("mean_absolute_error_tokens", Math.Round(reading.MeanAbsoluteErrorTokens, 1));
                json.WriteNumberOrNull("ordered_pairs_ratio", reading.OrderedPairsRatio, 4);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteQueue(Utf8JsonWriter json, StatusFacts facts, StatusBoard board, string? model)
    {
        json.WriteStartObject("queue");
        foreach (var depth in facts.QueueDepths.Where(depth => model is null || depth.Model == model).GroupBy(depth => depth.Priority))
        {
            json.WriteNumber(depth.Key, depth.Sum(one => one.Waiting));
        }
        json.WriteEndObject();
        json.WriteStartArray("tenants");
        foreach (var (queue, waiting) in board.Tenants.Waiting.Where(tenant => model is null || tenant.Key.Model == model).OrderByDescending(tenant => tenant.Value).Take(MaxTenants))
        {
            json.WriteStartObject();
            json.WriteString("tenant", queue.Tenant);
            json.WriteString("model", queue.Model);
            json.WriteString("priority", queue.Priority.Word());
            json.WriteNumber("waiting", waiting);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteFleet(Utf8JsonWriter json, FleetRows fleet)
    {
        json.WriteStartObject("fleet");
        json.WriteNumber("replicas", fleet.Replicas);
        json.WriteNumber("up", fleet.Up);
        json.WriteNumber("draining", fleet.Draining);
        json.WriteNumber("running", fleet.Running);
        json.WriteNumber("found", fleet.Found);
        json.WriteString("marks", fleet.Marks);
        json.WriteStartArray("rows");
        foreach (var (model, replica, reason) in fleet.Rows)
        {
            json.WriteStartObject();
            json.WriteString("id", replica.Id);
            json.WriteString("model", model);
            json.WriteString("health", StatusPage.HealthOf(replica.Health));
            json.WriteString("reason", reason);
            json.WriteNumber("running", replica.WithoutPeers().RunningRequests);
            json.WriteNumberOrNull("waiting", replica.Report?.WaitingRequests, 0);
            json.WriteNumberOrNull("kv_ratio", FleetRows.FullnessOf(replica), 3);
            json.WriteNumberOrNull("capacity_tokens", replica.CapacityTokens, 0);
            // Output tokens a second of one answer there, as far as that was learned.
            json.WriteNumberOrNull("tokens_per_second", replica.Rates.IsLearned ? 1 / replica.Rates.StepSeconds(replica.RunningSequences) : null, 1);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteLatencies(Utf8JsonWriter json, LatencyHistory history, string? model)
    {
        json.WriteStartObject("latency");
        json.WriteNumber("slot_seconds", LatencyHistory.SlotSeconds);
        foreach (var (name, kind) in new[] { ("ttft", LatencyKind.FirstToken), ("itl", LatencyKind.TokenGap), ("e2e", LatencyKind.Answer) })
        {
            var points = history.Read(kind, model);
            WriteCurve(json, name + "_p50", points.Select(point => point.Median));
            WriteCurve(json, name + "_p99", points.Select(point => point.Upper));
        }
        json.WriteEndObject();
    }

    private static void WriteCurve(Utf8JsonWriter json, string name, IEnumerable<double?> points)
    {
        json.WriteStartArray(name);
        foreach (var point in points)
        {
            if (point is { } seconds)
            {
                json.WriteNumberValue(Math.Round(seconds, 4));
            }
            else
            {
                json.WriteNullValue();
            }
        }
        json.WriteEndArray();
    }

    private static long WriteDecisions(Utf8JsonWriter json, RecentDecisions recent, StatusView view)
    {
        var seen = view.Seen;
        json.WriteStartArray("decisions");
        foreach (var decision in recent.After(view.Seen))
        {
            seen = decision.Number;
            if (view.Model is null || decision.Model == view.Model)
            {
                WriteDecision(json, decision);
            }
        }
        json.WriteEndArray();
        return seen;
    }

    private static void WriteDecision(Utf8JsonWriter json, Decision decision)
    {
        json.WriteStartObject();
        json.WriteNumber("number", decision.Number);
        json.WriteNumber("time_ms", decision.At.ToUnixTimeMilliseconds());
        json.WriteString("id", decision.RequestId);
        json.WriteString("model", decision.Model);
        json.WriteString("priority", decision.Priority.Word());
        json.WriteString("tenant", decision.Tenant);
        json.WriteString("outcome", DecisionWords.Ending(decision.Outcome));
        json.WriteString("replica", decision.ReplicaId);
        json.WriteString("why", DecisionWords.Why(decision));
        json.WriteNumber("waited_ms", Math.Round(decision.Waited.TotalMilliseconds));
        json.WriteNumber("prompt_tokens", decision.PromptTokens);
        json.WriteNumber("output_tokens", Math.Round(decision.OutputTokens));
        json.WriteStartArray("places");
        foreach (var place in decision.Places)
        {
            json.WriteStartObject();
            json.WriteString("replica", place.ReplicaId);
            json.WriteNumber(decision.CostsAreSeconds ? "cost_seconds" : "cost", Math.Round(place.Cost, 3));
            json.WriteBoolean("has_room", place.HasRoom);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
