using System.Globalization;
using System.Text.Json;

namespace Gateway.Simulation.Serving;

/// <summary>What vLLM refuses of the fields that shape the draw of tokens. They change nothing here, but a client hears the same of them.</summary>
internal static class SamplingRanges
{
    // vLLM's own default of max_logprobs.
    private const int MostLogprobs = 20;

    private static readonly (string Name, Func<double, bool> IsAllowed, string Rule)[] Rules =
    [
        ("temperature", value => value >= 0, "must be non-negative"),
        ("top_p", value => value is > 0 and <= 1, "must be in (0, 1]"),
        ("top_k", value => value >= -1 && value == Math.Floor(value), "must be 0 or -1 (disable), or at least 1"),
        ("min_p", value => value is >= 0 and <= 1, "must be in [0, 1]"),
        ("presence_penalty", value => value is >= -2 and <= 2, "must be in [-2, 2]"),
        ("frequency_penalty", value => value is >= -2 and <= 2, "must be in [-2, 2]"),
        ("repetition_penalty", value => value > 0, "must be greater than zero"),
    ];

    /// <summary>The first field that is no number or out of its range; null: all are fine.</summary>
    public static EngineError? Problem(JsonElement root)
    {
        foreach (var (name, isAllowed, rule) in Rules)
        {
            if (!root.TryGetProperty(name, out var field) || field.ValueKind == JsonValueKind.Null)
            {
                continue;
            }

            if (field.ValueKind != JsonValueKind.Number || !field.TryGetDouble(out var value))
            {
                return EngineError.BadRequest($"{name} must be a number.", name);
            }

            if (!isAllowed(value))
            {
                return EngineError.BadRequest(string.Create(CultureInfo.InvariantCulture, $"{name} {rule}, got {value}."), name);
            }
        }

        return LogprobsProblem(root);
    }

    /// <summary>Alternatives asked for: chat says whether and how many, a text completion how many. Null: no log probabilities.</summary>
    public static int? Logprobs(JsonElement root) => root.TryGetProperty("logprobs", out var asked) ? asked.ValueKind switch
    {
        JsonValueKind.True => Count(root, "top_logprobs") ?? 0,
        JsonValueKind.Number => Count(root, "logprobs"),
        _ => null,
    } : null;

    private static EngineError? LogprobsProblem(JsonElement root)
    {
        foreach (var name in (string[])["logprobs", "top_logprobs"])
        {
            if (root.TryGetProperty(name, out var field) && field.ValueKind == JsonValueKind.Number && Count(root, name) is null)
            {
                return EngineError.BadRequest($"{name} must be an integer from 0 to {MostLogprobs}.", name);
            }
        }

        return root.TryGetProperty("messages", out _) && Count(root, "top_logprobs") > 0 && !SamplingFields.IsTrue(root, "logprobs")
            ? EngineError.BadRequest("when using `top_logprobs`, `logprobs` must be set to true.", "top_logprobs")
            : null;
    }

    private static int? Count(JsonElement root, string name) =>
        root.TryGetProperty(name, out var field) && field.ValueKind == JsonValueKind.Number && field.TryGetInt32(out var count) && count is >= 0 and <= MostLogprobs ? count : null;
}
