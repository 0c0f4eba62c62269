using System.Globalization;
using System.Text.Json;

namespace Gateway.Replay.Traces.Readers;

/// <summary>One saved result of <c>vllm bench serve --save-detailed</c>: arrays of input_lens, output_lens and, in newer versions, start_times in seconds.</summary>
internal static class BenchResult
{
    /// <param name="row">The result; its requests are all in memory at once.</param>
    /// <param name="inputs">The array of input lengths.</param>
    /// <param name="starts">Arrivals where the result has none.</param>
    public static IEnumerable<TraceRequest> Read(JsonRow row, JsonElement inputs, IEnumerator<TimeSpan> starts)
    {
        var lengths = Counts(row, "input_lens", inputs, 1);
        var outputs = Counts(row, "output_lens", row.Find("output_lens") ?? throw row.Missing("output_lens"), 0);
        var times = row.Find("start_times") is { } found ? Seconds(row, found) : null;
        if (outputs.Length != lengths.Length || (times is not null && times.Length != lengths.Length))
        {
            throw row.Spot.Wrong("input_lens, output_lens and start_times differ in length. Each needs one entry per request.");
        }

        var order = Enumerable.Range(0, lengths.Length);
        var clock = new ArrivalClock();
        foreach (var i in times is null ? order : order.OrderBy(i => times[i]))
        {
            if (times is null)
            {
                starts.MoveNext();
            }

            yield return new TraceRequest
            {
                Arrival = times is null ? starts.Current : clock.Next(times[i] * 1000, row.Spot),
                InputTokens = lengths[i],
                OutputTokens = outputs[i],
            };
        }
    }

    private static int[] Counts(JsonRow row, string name, JsonElement array, int least)
    {
        var counts = new List<int>();
        foreach (var item in Items(row, name, array))
        {
            counts.Add(item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var count) && count >= least && count <= JsonRow.MostTokens
                ? count
                : throw row.Spot.Wrong(string.Create(CultureInfo.InvariantCulture, $"{name}[{counts.Count}] is wrong. Allowed: a whole number from {least} to {JsonRow.MostTokens}.")));
        }

        return [.. counts];
    }

    private static double[] Seconds(JsonRow row, JsonElement array)
    {
        var times = new List<double>();
        foreach (var item in Items(row, "start_times", array))
        {
            times.Add(item.ValueKind == JsonValueKind.Number && item.TryGetDouble(out var time) && time >= 0
                ? time
                : throw row.Spot.Wrong(string.Create(CultureInfo.InvariantCulture, $"start_times[{times.Count}] is wrong. Allowed: seconds of at least 0.")));
        }

        return [.. times];
    }

    private static JsonElement.ArrayEnumerator Items(JsonRow row, string name, JsonElement array) =>
        array.ValueKind == JsonValueKind.Array ? array.EnumerateArray() : throw row.Spot.Wrong($"{name} is no array. Allowed: one whole number per request.");
}
