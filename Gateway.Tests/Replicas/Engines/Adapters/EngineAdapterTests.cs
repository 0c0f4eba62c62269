using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Gateway.Replicas.Engines.Adapters;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas.Engines.Adapters;

public sealed class EngineAdapterTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public async Task Vllm_AsItComes_TellsModelsLoadAndRoom()
    {
        var engine = Pages.Vllm();

        var facts = await DescribeAsync(EngineKind.Vllm, engine, "llama-8b");
        var load = await ReadLoadAsync(EngineKind.Vllm, engine);

        Assert.Equal(["llama-8b", "sql-adapter"], facts.Models);
        Assert.Equal((32_768, "0.11.2"), (facts.ContextTokens, facts.Version));
        Assert.Equal((3, 2, 0.25, 32_000L), (load.RunningRequests, load.WaitingRequests, load.KvUsage, load.KvCapacityTokens));
        Assert.Equal((7L, 60_000L, 90_000L, 4_100L), (load.Preemptions, load.PrefixHitTokens, load.PrefixQueryTokens, load.Progress));
        Assert.Null(load.Slots);
    }

    [Fact]
    public async Task Vllm_AskedForAnAdapterWithoutAWindow_TakesItsBaseModels()
    {
        var facts = await DescribeAsync(EngineKind.Vllm, Pages.Vllm(), "sql-adapter");

        Assert.Equal(32_768, facts.ContextTokens);
    }

    [Fact]
    public async Task Vllm_WithDataParallelRanks_AddsAmountsAndAveragesShares()
    {
        var engine = Pages.Vllm(metrics: """
            vllm:num_requests_running{engine="0",model_name="a, b"} 4
            vllm:num_requests_running{engine="1",model_name="a, b"} 6
            vllm:num_requests_waiting{engine="0"} 9
            vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 1
            vllm:num_requests_waiting_by_reason{engine="0",reason="deferred"} 8
            vllm:num_requests_waiting_by_reason{engine="1",reason="capacity"} 2
            vllm:kv_cache_usage_perc{engine="0"} 0.2
            vllm:kv_cache_usage_perc{engine="1"} 0.6
            vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="100"} 1
            vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="100"} 1
            """);

        var load = await ReadLoadAsync(EngineKind.Vllm, engine);

        Assert.Equal((10, 3, 3_200L), (load.RunningRequests, load.WaitingRequests, load.KvCapacityTokens));
        Assert.Equal(0.4, load.KvUsage!.Value, 9);
    }

    [Theory]
    [InlineData("vllm:gpu_cache_usage_perc 0.5\nvllm:num_requests_running 1")]
    [InlineData("ray_vllm_kv_cache_usage_perc{x=\"y\"} 0.5\nray_vllm_num_requests_running 1")]
    public async Task Vllm_UnderOlderAndForeignNames_IsReadAlike(string page)
    {
        var load = await ReadLoadAsync(EngineKind.Vllm, Pages.Vllm(metrics: page));

        Assert.Equal((1, 0.5), (load.RunningRequests, load.KvUsage));
    }

    [Theory]
    [InlineData("vllm:num_requests_running NaN\nvllm:kv_cache_usage_perc 0.5")]
    [InlineData("vllm:num_requests_running -1\nvllm:kv_cache_usage_perc 0.5")]
    [InlineData("vllm:num_requests_running +Inf\nvllm:kv_cache_usage_perc 0.5")]
    [InlineData("vllm:num_requests_running 1e300\nvllm:kv_cache_usage_perc 0.5")]
    public async Task Vllm_WithAbsurdNumbers_LeavesThemUnknown(string page)
    {
        var load = await ReadLoadAsync(EngineKind.Vllm, Pages.Vllm(metrics: page));

        Assert.Null(load.RunningRequests);
        Assert.Equal(0.5, load.KvUsage);
    }

    [Fact]
    public async Task Vllm_WithItsStatisticsOff_IsUnknownNotIdle()
    {
        var engine = Pages.Vllm(metrics: "python_gc_objects_collected_total{generation=\"0\"} 100\n");

        var reading = await EngineAdapters.Of(EngineKind.Vllm).ReadLoadAsync(engine.Client(_time), EngineReport.Empty, CancellationToken.None);

        Assert.Equal(ReadingOutcome.Absent, reading.Outcome);
        Assert.Null(reading.Report.RunningRequests);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData(",enable_prefix_caching=\"True\"", true)]
    [InlineData(",enable_prefix_caching=\"False\"", false)]
    [InlineData(",enable_prefix_caching=\"None\"", null)]
    public async Task Vllm_ByItsCacheConfiguration_TellsWhetherItKeepsPrefixes(string label, bool? expected)
    {
        var load = await ReadLoadAsync(EngineKind.Vllm, Pages.Vllm(metrics: $$"""vllm:cache_config_info{block_size="16"{{label}},num_gpu_blocks="100"} 1"""));

        Assert.Equal((1_600L, expected), (load.KvCapacityTokens, load.CachesPrefixes));
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("\"disable_radix_cache\":false,", true)]
    [InlineData("\"disable_radix_cache\":true,", false)]
    public async Task SgLang_AskedForItsArguments_TellsWhetherItKeepsPrefixes(string arguments, bool? expected)
    {
        var engine = Pages.SgLang().With("/get_server_info", $$"""{ {{arguments}}"max_total_num_tokens":9000}""");

        Assert.Equal(expected, (await DescribeAsync(EngineKind.SgLang, engine, "qwen")).CachesPrefixes);
    }

    [Theory]
    [InlineData("", EnginePriority.Auto)]
    [InlineData("\"enable_priority_scheduling\":false,", EnginePriority.Off)]
    [InlineData("\"enable_priority_scheduling\":null,", EnginePriority.Auto)]
    [InlineData("\"enable_priority_scheduling\":true,\"schedule_low_priority_values_first\":false,", EnginePriority.HigherFirst)]
    [InlineData("\"enable_priority_scheduling\":true,\"schedule_low_priority_values_first\":true,", EnginePriority.LowerFirst)]
    public async Task SgLang_AskedForItsArguments_TellsWhetherItSchedulesByPriority(string arguments, EnginePriority expected)
    {
        var engine = Pages.SgLang().With("/get_server_info", $$"""{ {{arguments}}"max_total_num_tokens":9000}""");

        Assert.Equal(expected, (await DescribeAsync(EngineKind.SgLang, engine, "qwen")).Priority);
    }

    [Fact]
    public async Task SgLang_WithPrioritiesAndRanks_CountsEachRequestOnce()
    {
        var engine = Pages.SgLang().With("/metrics", """
            sglang:num_running_reqs{dp_rank="0",priority="",tp_rank="0"} 5
            sglang:num_running_reqs{dp_rank="0",priority="3",tp_rank="0"} 4
            sglang:num_running_reqs{dp_rank="0",priority="",tp_rank="1"} 5
            sglang:num_running_reqs{dp_rank="1",priority="",tp_rank="0"} 2
            sglang:num_queue_reqs{dp_rank="0",priority="",tp_rank="0"} 1
            sglang:num_grammar_queue_reqs{dp_rank="0",tp_rank="0"} 2
            sglang:token_usage{dp_rank="0"} 0.99
            sglang:full_token_usage{dp_rank="0"} 0.31
            sglang:max_total_num_tokens{dp_rank="0"} 20000
            sglang:max_total_num_tokens{dp_rank="1"} 20000
            sglang:cached_tokens_total 300
            sglang:prompt_tokens_total 900
            sglang:generation_tokens_total 100
            """);

        var facts = await DescribeAsync(EngineKind.SgLang, engine, "qwen");
        var load = await ReadLoadAsync(EngineKind.SgLang, engine);

        Assert.Equal((16_384, 96, 40_000L, "0.5.4"), (facts.ContextTokens, facts.Slots, facts.KvCapacityTokens, facts.Version));
        Assert.Equal((7, 3, 0.31, 40_000L), (load.RunningRequests, load.WaitingRequests, load.KvUsage, load.KvCapacityTokens));
        Assert.Equal((300L, 900L, 1_000L), (load.PrefixHitTokens, load.PrefixQueryTokens, load.Progress));
    }

    [Fact]
    public async Task SgLang_WithoutMetrics_TellsItsLoads()
    {
        var engine = Pages.SgLang().With("/v1/loads", """
            {"version":"0.5.4","loads":[
              {"dp_rank":0,"num_running_reqs":3,"num_waiting_reqs":1,"num_used_tokens":100,"max_total_num_tokens":1000,"max_running_requests":8},
              {"dp_rank":1,"num_running_reqs":2,"num_waiting_reqs":0,"num_used_tokens":300,"max_total_num_tokens":1000,"max_running_requests":8}]}
            """);

        var load = await ReadLoadAsync(EngineKind.SgLang, engine);

        Assert.Equal((5, 1, 0.2, 2_000L, 16), (load.RunningRequests, load.WaitingRequests, load.KvUsage, load.KvCapacityTokens, load.Slots));
    }

    [Theory]
    [InlineData("""{"loads":[]}""")]
    [InlineData("""{"loads":[{"num_running_reqs":0,"num_waiting_reqs":0,"max_total_num_tokens":0}]}""")]
    public async Task SgLang_WithLoadsThatSayNothing_IsUnknownNotIdle(string loads)
    {
        var engine = Pages.SgLang().With("/v1/loads", loads);

        var reading = await EngineAdapters.Of(EngineKind.SgLang).ReadLoadAsync(engine.Client(_time), EngineReport.Empty, CancellationToken.None);

        Assert.Equal(ReadingOutcome.Absent, reading.Outcome);
    }

    [Fact]
    public async Task LlamaCpp_AsItComes_TellsTheWindowOfASlotAndRoomForAll()
    {
        var engine = Pages.LlamaCpp().With("/metrics", """
            llamacpp:requests_processing 2
            llamacpp:requests_deferred 1
            llamacpp:kv_cache_usage_ratio 0.125
            llamacpp:n_decode_total 77
            """);

        var facts = await DescribeAsync(EngineKind.LlamaCpp, engine, "any");
        var load = await ReadLoadAsync(EngineKind.LlamaCpp, engine);

        Assert.Equal((4_096, 4, 16_384L, "b6100"), (facts.ContextTokens, facts.Slots, facts.KvCapacityTokens, facts.Version));
        Assert.Equal((2, 1, 0.125, 77L), (load.RunningRequests, load.WaitingRequests, load.KvUsage, load.Progress));
    }

    [Fact]
    public async Task LlamaCpp_WithMetricsOff_CountsItsBusySlots()
    {
        var engine = Pages.LlamaCpp().With("/metrics", "{}", 501).With("/slots", """[{"id":0,"is_processing":true},{"id":1,"is_processing":false},{"id":2,"state":1}]""");

        var load = await ReadLoadAsync(EngineKind.LlamaCpp, engine);

        Assert.Equal((2, 3), (load.RunningRequests, load.Slots));
        Assert.Null(load.WaitingRequests);
    }

    [Fact]
    public async Task Tgi_AsItComes_TellsLimitsAndShareOfItsRoom()
    {
        var engine = Pages.Tgi().With("/metrics", """
            tgi_batch_current_size 6
            tgi_queue_size 0
            tgi_batch_current_max_tokens 20000
            tgi_batch_inference_count{method="decode"} 30
            tgi_batch_inference_count{method="prefill"} 4
            """);

        var facts = await DescribeAsync(EngineKind.Tgi, engine, "any");
        var load = await ReadLoadAsync(EngineKind.Tgi, engine, facts);

        Assert.Equal((4_096, 128, 80_000L, "3.3.4"), (facts.ContextTokens, facts.Slots, facts.KvCapacityTokens, facts.Version));
        Assert.Equal((6, 0, 0.25, 34L), (load.RunningRequests, load.WaitingRequests, load.KvUsage, load.Progress));
    }

    [Fact]
    public async Task Ollama_AsItComes_HasOneSlotAndTheLoadedWindow()
    {
        var engine = Pages.Ollama();

        var facts = await DescribeAsync(EngineKind.Ollama, engine, "llama3");

        Assert.Equal(["llama3:latest", "llama3", "phi:3b"], facts.Models);
        Assert.Equal((1, 8_192, "0.12.3"), (facts.Slots, facts.ContextTokens, facts.Version));
        Assert.DoesNotContain(engine.Asked, question => question.Path is "/api/show" or "/api/generate");
    }

    [Fact]
    public async Task TensorRtLlm_WithItsPrometheusPage_TellsLoadAndRoom()
    {
        var engine = Pages.TensorRtLlm().With("/prometheus/metrics", """
            trtllm_num_requests_running 4
            trtllm_num_requests_waiting 1
            trtllm_kv_cache_utilization 0.5
            trtllm_kv_cache_max_blocks 1000
            trtllm_kv_cache_tokens_per_block 32
            """);

        var load = await ReadLoadAsync(EngineKind.TensorRtLlm, engine);

        Assert.Equal((4, 1, 0.5, 32_000L), (load.RunningRequests, load.WaitingRequests, load.KvUsage, load.KvCapacityTokens));
    }

    [Fact]
    public async Task TensorRtLlm_WithStepsAsJson_TakesTheNewest()
    {
        var engine = Pages.TensorRtLlm().With("/metrics", """
            [{"iter":8,"numActiveRequests":1,"numQueuedRequests":0},
             {"iter":9,"numActiveRequests":3,"numQueuedRequests":2,"maxNumActiveRequests":64,"kvCacheStats":{"maxNumBlocks":100,"usedNumBlocks":25,"tokensPerBlock":32}}]
            """);

        var load = await ReadLoadAsync(EngineKind.TensorRtLlm, engine);

        Assert.Equal((3, 2, 0.25, 3_200L, 64, 9L), (load.RunningRequests, load.WaitingRequests, load.KvUsage, load.KvCapacityTokens, load.Slots, load.Progress));
    }

    [Fact]
    public async Task TensorRtLlm_WithoutAStepSinceTheLastCall_IsUnknownNotIdle()
    {
        var engine = Pages.TensorRtLlm().With("/metrics", "[]");

        var reading = await EngineAdapters.Of(EngineKind.TensorRtLlm).ReadLoadAsync(engine.Client(_time), EngineReport.Empty, CancellationToken.None);

        Assert.Equal(ReadingOutcome.Absent, reading.Outcome);
    }

    [Fact]
    public async Task LmDeploy_AsItComes_AddsBothQueues()
    {
        var engine = Pages.LmDeploy().With("/metrics", """
            lmdeploy:num_requests_running{engine="0",model_name="internlm"} 2
            lmdeploy:num_requests_waiting{engine="0",model_name="internlm"} 3
            lmdeploy:num_api_requests_waiting{engine="0",model_name="internlm"} 4
            lmdeploy:gpu_cache_usage_perc{engine="0",model_name="internlm"} 0.75
            lmdeploy:backend_config_info{block_size="64",num_gpu_blocks="1000"} 1
            """);

        var load = await ReadLoadAsync(EngineKind.LmDeploy, engine);

        Assert.Equal((2, 7, 0.75, 64_000L), (load.RunningRequests, load.WaitingRequests, load.KvUsage, load.KvCapacityTokens));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("""{"data":{}}""")]
    [InlineData("""{"data":[{"id":"\ud800"},{"i\ud800":"m"}],"d\ud800ata":1,"object":"\udc00","version":"\ud800","models":[{"name":"\ud800"}],"model_path":"\ud800","served_model_name":"\ud800"}""")]
    [InlineData("""{"data":[17,null,{"id":5},{"id":""}],"default_generation_settings":[],"total_slots":"x","models":"none","loads":3,"kvCacheStats":1}""")]
    public async Task EveryEngine_AnsweringNonsense_TellsNothingAndThrowsNothing(string nonsense)
    {
        var engine = new CannedEngine();
        foreach (var path in new[] { "/v1/models", "/version", "/metrics", "/prometheus/metrics", "/props", "/slots", "/info", "/api/tags", "/api/ps", "/api/version", "/get_server_info", "/server_info", "/v1/loads" })
        {
            engine.With(path, nonsense);
        }
        foreach (var kind in Enum.GetValues<EngineKind>().Where(kind => kind != EngineKind.Auto))
        {
            var facts = await EngineAdapters.Of(kind).DescribeAsync(engine.Client(_time), ["m"], CancellationToken.None);
            var load = await EngineAdapters.Of(kind).ReadLoadAsync(engine.Client(_time), EngineReport.Empty, CancellationToken.None);

            Assert.Empty(facts.Report.Models);
            Assert.Null(facts.Report.ContextTokens);
            Assert.Null(load.Report.WaitingRequests);
            Assert.Null(load.Report.KvCapacityTokens);
        }
    }

    private async Task<EngineReport> DescribeAsync(EngineKind kind, CannedEngine engine, string model)
    {
        var reading = await EngineAdapters.Of(kind).DescribeAsync(engine.Client(_time), [model], CancellationToken.None);
        Assert.Equal(ReadingOutcome.Read, reading.Outcome);
        return reading.Report;
    }

    private async Task<EngineReport> ReadLoadAsync(EngineKind kind, CannedEngine engine, EngineReport? known = null)
    {
        var reading = await EngineAdapters.Of(kind).ReadLoadAsync(engine.Client(_time), known ?? EngineReport.Empty, CancellationToken.None);
        Assert.Equal(ReadingOutcome.Read, reading.Outcome);
        return reading.Report;
    }
}
