namespace Gateway.Replicas;

/// <summary>Which model server answers behind a replica; decides its probes, its metrics' names and its quirks.</summary>
public enum EngineKind
{
    /// <summary>Found out by probing.</summary>
    Auto,

    /// <summary>vLLM's OpenAI server.</summary>
    Vllm,

    /// <summary>SGLang.</summary>
    SgLang,

    /// <summary>llama.cpp's <c>llama-server</c>.</summary>
    LlamaCpp,

    /// <summary>Hugging Face Text Generation Inference.</summary>
    Tgi,

    /// <summary>Ollama.</summary>
    Ollama,

    /// <summary>TensorRT-LLM's <c>trtllm-serve</c>.</summary>
    TensorRtLlm,

    /// <summary>LMDeploy.</summary>
    LmDeploy,

    /// <summary>Anything that speaks the OpenAI API and tells nothing about its load.</summary>
    OpenAi,
}

/// <summary>The engines' names as the configuration and the log write them.</summary>
public static class EngineKindWords
{
    public static string Word(this EngineKind engine) => engine switch
    {
        EngineKind.Auto => "auto",
        EngineKind.Vllm => "vllm",
        EngineKind.SgLang => "sglang",
        EngineKind.LlamaCpp => "llamacpp",
        EngineKind.Tgi => "tgi",
        EngineKind.Ollama => "ollama",
        EngineKind.TensorRtLlm => "tensorrt_llm",
        EngineKind.LmDeploy => "lmdeploy",
        EngineKind.OpenAi => "openai",
        _ => throw new ArgumentOutOfRangeException(nameof(engine), engine, "An engine without a word."),
    };
}

/// <summary>Whether an engine schedules by a request's <c>priority</c>, and which end of the scale goes first.</summary>
public enum EnginePriority
{
    /// <summary>As the engine says of itself; never sent where it says nothing.</summary>
    Auto,

    /// <summary>Never sent: the engine ignores it or answers an error.</summary>
    Off,

    /// <summary>Smaller numbers go first, as in vLLM with <c>--scheduling-policy priority</c>.</summary>
    LowerFirst,

    /// <summary>Larger numbers go first, as in SGLang with <c>--enable-priority-scheduling</c>.</summary>
    HigherFirst,
}
