using System.Globalization;

namespace Gateway.Cli.Demo;

/// <summary>What happened, in words and two small tables. Pure: results in, lines out.</summary>
internal static class DemoReport
{
    /// <param name="results">At least one.</param>
    /// <param name="elapsed">From the first request to the last answer.</param>
    public static IEnumerable<string> Lines(IReadOnlyCollection<DemoResult> results, TimeSpan elapsed)
    {
        var failures = results.Where(result => result.Failure is not null).ToArray();
        var good = results.Where(result => result.Failure is null).ToArray();
        yield return Say($"requests     {results.Count} in {elapsed.TotalSeconds:0.0} s, {results.Count(result => result.IsStreamed)} of them streamed");
        yield return Say($"failures     {failures.Length}");
        foreach (var kind in failures.GroupBy(result => result.Failure))
        {
            yield return Say($"  {kind.Count(),3} x {kind.Key}");
        }
        yield return Say($"TTFT         {Quantiles([.. good.Where(result => result.TimeToFirstToken is not null).Select(result => result.TimeToFirstToken!.Value.TotalMilliseconds)])}");
        yield return Say($"latency      {Quantiles([.. good.Select(result => result.Latency.TotalMilliseconds)])}");
        var output = good.Sum(result => (long)result.OutputTokens);
        yield return Say($"tokens       {good.Sum(result => (long)result.PromptTokens):N0} in, {output:N0} out, {output / Math.Max(0.001, elapsed.TotalSeconds):N0} out per second");
        yield return Say($"prefix hits  {HitShare(good):P0} of the prompt tokens came from the engines' caches");
        yield return "";
        yield return Row("replica", "requests", "prompt tokens", "prefix hits", "output tokens", "share of output");
        foreach (var line in Groups(good, result => result.Replica ?? "-", output))
        {
            yield return line;
        }
        yield return "";
        yield return Row("tenant", "requests", "prompt tokens", "prefix hits", "output tokens", "share of output");
        foreach (var line in Groups(good, result => result.Tenant, output))
        {
            yield return line;
        }
    }

    private static IEnumerable<string> Groups(IEnumerable<DemoResult> results, Func<DemoResult, string> by, long output) =>
        results.GroupBy(by).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => Row(
            group.Key, Say($"{group.Count()}"), Say($"{group.Sum(result => (long)result.PromptTokens):N0}"), Say($"{HitShare([.. group]):P0}"),
            Say($"{group.Sum(result => (long)result.OutputTokens):N0}"), Say($"{group.Sum(result => (double)result.OutputTokens) / Math.Max(1, output):P0}")));

    private static double HitShare(IReadOnlyCollection<DemoResult> results) =>
        results.Sum(result => (double)result.CachedTokens) / Math.Max(1, results.Sum(result => (long)result.PromptTokens));

    private static string Quantiles(double[] milliseconds)
    {
        if (milliseconds.Length == 0)
        {
            return "-";
        }
        Array.Sort(milliseconds);
        return Say($"p50 {At(milliseconds, 0.5):0} ms, p90 {At(milliseconds, 0.9):0} ms, p99 {At(milliseconds, 0.99):0} ms");
    }

    private static double At(double[] sorted, double share) => sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];

    private static string Row(string name, string requests, string prompt, string hits, string output, string share) =>
        $"{name,-12} {requests,9} {prompt,14} {hits,12} {output,14} {share,16}";

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
