using System.Globalization;
using System.Text;

namespace Gateway.Simulation.Serving;

/// <summary>The engine's numbers, and the Prometheus page that shows them under vLLM's names. Written by the loop, read by requests; thread-safe.</summary>
internal sealed class EngineMetrics(EngineProfile profile, string model, TimeProvider time)
{
    private static readonly double[] FirstTokenBounds = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560];
    private static readonly double[] InterTokenBounds = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
    private static readonly double[] EndToEndBounds = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];

    private readonly Lock _gate = new();
    private readonly Histogram _firstToken = new(FirstTokenBounds);
    private readonly Histogram _interToken = new(InterTokenBounds);
    private readonly Histogram _endToEnd = new(EndToEndBounds);
    private readonly SortedDictionary<string, long> _finished = new(StringComparer.Ordinal) { ["abort"] = 0, ["length"] = 0, ["stop"] = 0 };
    private EngineCounters _counters = new() { TotalBlocks = profile.KvBlocks };

    public EngineCounters Counters
    {
        get
        {
            lock (_gate)
            {
                return _counters;
            }
        }
    }

    public void Publish(in EngineCounters counters)
    {
        lock (_gate)
        {
            _counters = counters;
        }
    }

    public void Observe(Generation generation, in EngineToken token, long now)
    {
        lock (_gate)
        {
            if (token.Generated <= 1)
            {
                _firstToken.Add(time.GetElapsedTime(generation.ArrivedAt, now).TotalSeconds);
            }
            else
            {
                _interToken.Add(time.GetElapsedTime(generation.LastTokenAt, now).TotalSeconds);
            }

            if (token.IsFinished)
            {
                _endToEnd.Add(time.GetElapsedTime(generation.ArrivedAt, now).TotalSeconds);
                _finished[generation.FinishReason == "length" ? "length" : "stop"]++;
            }
        }
    }

    /// <summary>The page in the Prometheus text format.</summary>
    public string Page()
    {
        var page = new StringBuilder(8_192);
        var labels = $"engine=\"0\",model_name=\"{Escape(model)}\"";
        lock (_gate)
        {
            var now = _counters;
            Sample(page, "vllm:num_requests_running", "gauge", labels, now.Running);
            Sample(page, "vllm:num_requests_waiting", "gauge", labels, now.Waiting);
            Sample(page, "vllm:num_requests_waiting_by_reason", "gauge", labels + ",reason=\"capacity\"", now.Waiting);
            Sample(page, "vllm:kv_cache_usage_perc", "gauge", labels, now.KvUsage);
            Sample(page, "vllm:cache_config_info", "gauge", $"block_size=\"{profile.BlockTokens}\",enable_prefix_caching=\"{profile.CachesPrefixes}\",engine=\"0\",num_gpu_blocks=\"{profile.KvBlocks}\"", 1);
            Sample(page, "vllm:num_preemptions_total", "counter", labels, now.Preemptions);
            Sample(page, "vllm:prefix_cache_queries_total", "counter", labels, now.PrefixQueryTokens);
            Sample(page, "vllm:prefix_cache_hits_total", "counter", labels, now.PrefixHitTokens);
            Sample(page, "vllm:prompt_tokens_total", "counter", labels, now.PromptTokens);
            Sample(page, "vllm:generation_tokens_total", "counter", labels, now.GeneratedTokens);
            Summary(page, "vllm:iteration_tokens_total", labels, now.StepTokens, now.Steps);
            page.Append("# TYPE vllm:request_success_total counter\n");
            foreach (var (reason, count) in _finished)
            {
                Line(page, "vllm:request_success_total", $"{labels},finished_reason=\"{reason}\"", count);
            }

            _firstToken.WriteTo(page, "vllm:time_to_first_token_seconds", labels);
            _interToken.WriteTo(page, "vllm:inter_token_latency_seconds", labels);
            _endToEnd.WriteTo(page, "vllm:e2e_request_latency_seconds", labels);
        }

        return page.ToString();
    }

    private static void Sample(StringBuilder page, string name, string type, string labels, double value)
    {
        page.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
        Line(page, name, labels, value);
    }

    private static void Summary(StringBuilder page, string name, string labels, double sum, double count)
    {
        page.Append("# TYPE ").Append(name).Append(" histogram\n");
        Line(page, name + "_bucket", labels + ",le=\"+Inf\"", count);
        Line(page, name + "_sum", labels, sum);
        Line(page, name + "_count", labels, count);
    }

    private static void Line(StringBuilder page, string name, string labels, double value) =>
        page.Append(name).Append('{').Append(labels).Append("} ").Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');

    private static string Escape(string label) =>
        label.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private sealed class Histogram(double[] bounds)
    {
        private readonly long[] _counts = new long[bounds.Length + 1];
        private double _sum;

        public void Add(double value)
        {
            var slot = Array.BinarySearch(bounds, value);
            _counts[slot < 0 ? ~slot : slot]++;
            _sum += value;
        }

        public void WriteTo(StringBuilder page, string name, string labels)
        {
            page.Append("# TYPE ").Append(name).Append(" histogram\n");
            var below = 0L;
            for (var slot = 0; slot < bounds.Length; slot++)
            {
                below += _counts[slot];
                Line(page, name + "_bucket", $"{labels},le=\"{bounds[slot].ToString("0.0###", CultureInfo.InvariantCulture)}\"", below);
            }

            below += _counts[^1];
            Line(page, name + "_bucket", labels + ",le=\"+Inf\"", below);
            Line(page, name + "_sum", labels, _sum);
            Line(page, name + "_count", labels, below);
        }
    }
}
