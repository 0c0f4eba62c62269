namespace Gateway.Tests.Replicas.Engines;

/// <summary>Answers as the engines give them, shortened; numbers are our own.</summary>
internal static class Pages
{
    public static CannedEngine Vllm(string model = "llama-8b", string? metrics = null) => new CannedEngine()
        .With("/health", "")
        .With("/version", """{"version":"0.11.2"}""")
        .With("/v1/models", $$"""
            {"object":"list","data":[
              {"id":"{{model}}","object":"model","owned_by":"vllm","root":"/weights","parent":null,"max_model_len":32768},
              {"id":"sql-adapter","object":"model","owned_by":"vllm","root":"/lora","parent":"{{model}}","max_model_len":null}]}
            """)
        .With("/metrics", metrics ?? VllmMetrics());

    public static string VllmMetrics(int running = 3, long steps = 4_100, int waiting = 2) => $$"""
        # HELP vllm:num_requests_running Number of requests in model execution batches.
        # TYPE vllm:num_requests_running gauge
        vllm:num_requests_running{engine="0",model_name="llama-8b"} {{running}}.0
        vllm:num_requests_waiting{engine="0",model_name="llama-8b"} {{waiting}}.0
        vllm:kv_cache_usage_perc{engine="0",model_name="llama-8b"} 0.25
        vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="0",gpu_memory_utilization="0.9",num_gpu_blocks="2000",sliding_window="None"} 1.0
        vllm:num_preemptions_total{engine="0",model_name="llama-8b"} 7.0
        vllm:num_preemptions_created{engine="0",model_name="llama-8b"} 1.7617e+09
        vllm:prefix_cache_queries_total{engine="0",model_name="llama-8b"} 90000.0
        vllm:prefix_cache_hits_total{engine="0",model_name="llama-8b"} 6.0e4
        vllm:iteration_tokens_total_bucket{engine="0",le="8.0",model_name="llama-8b"} 12.0
        vllm:iteration_tokens_total_bucket{engine="0",le="+Inf",model_name="llama-8b"} {{steps}}.0
        vllm:iteration_tokens_total_count{engine="0",model_name="llama-8b"} {{steps}}.0
        """;

    public static CannedEngine SgLang() => new CannedEngine()
        .With("/health", "")
        .With("/v1/models", """{"object":"list","data":[{"id":"qwen","object":"model","owned_by":"sglang","max_model_len":16384}]}""")
        .With("/get_model_info", """{"model_path":"qwen","is_generation":true}""")
        .With("/get_server_info", """
            {"model_path":"qwen","context_length":null,"max_running_requests":null,"max_total_num_tokens":9000,"api_key":"not-for-logs","version":"0.5.4",
             "internal_states":[{"memory_usage":{"token_capacity":20000},"effective_max_running_requests_per_dp":48},
                                {"memory_usage":{"token_capacity":20000},"effective_max_running_requests_per_dp":48}]}
            """)
        .With("/api/version", """{"version":"0.0.1"}""");

    public static CannedEngine LlamaCpp() => new CannedEngine()
        .With("/health", """{"status":"ok"}""")
        .With("/v1/models", """{"object":"list","data":[{"id":"/m/tiny.gguf","owned_by":"llamacpp","meta":{"n_ctx_train":131072}}]}""")
        .With("/props", """{"default_generation_settings":{"n_ctx":4096},"total_slots":4,"build_info":"b6100"}""");

    public static CannedEngine Tgi() => new CannedEngine()
        .With("/health", "")
        .With("/info", """{"model_id":"org/model","max_concurrent_requests":128,"max_input_tokens":3000,"max_total_tokens":4096,"max_batch_total_tokens":80000,"version":"3.3.4"}""");

    public static CannedEngine Ollama() => new CannedEngine()
        .With("/v1/models", """{"object":"list","data":[{"id":"llama3:latest","owned_by":"library"}]}""")
        .With("/api/version", """{"version":"0.12.3"}""")
        .With("/api/tags", """{"models":[{"name":"llama3:latest"},{"name":"phi:3b"}]}""")
        .With("/api/ps", """{"models":[{"name":"llama3:latest","context_length":8192,"size_vram":1}]}""");

    public static CannedEngine TensorRtLlm() => new CannedEngine()
        .With("/health", "")
        .With("/version", """{"version":"1.1.0"}""")
        .With("/v1/models", """{"object":"list","data":[{"id":"llama","owned_by":"tensorrt_llm"}]}""");

    public static CannedEngine LmDeploy() => new CannedEngine()
        .With("/health", "")
        .With("/v1/models", """{"object":"list","data":[{"id":"internlm","owned_by":"lmdeploy"}]}""");
}
