using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas.Engines;

public sealed class EngineDetectorTests
{
    private readonly ManualTime _time = new();

    public static TheoryData<EngineKind> Kinds => [EngineKind.Vllm, EngineKind.SgLang, EngineKind.LlamaCpp, EngineKind.Tgi, EngineKind.Ollama, EngineKind.TensorRtLlm, EngineKind.LmDeploy];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task DetectAsync_OfAnEngineAsItComes_NamesIt(EngineKind kind)
    {
        var engine = EngineOf(kind);

        var (found, _) = await EngineDetector.DetectAsync(engine.Client(_time), CancellationToken.None);

        Assert.Equal(kind, found);
        Assert.All(engine.Asked, question => Assert.Equal(HttpMethod.Get, question.Method));
    }

    [Theory]
    [InlineData(EngineKind.Vllm)]
    [InlineData(EngineKind.SgLang)]
    [InlineData(EngineKind.LlamaCpp)]
    [InlineData(EngineKind.Tgi)]
    [InlineData(EngineKind.Ollama)]
    public async Task DetectAsync_WhenTheModelListIsBehindAKey_GoesByOtherMarks(EngineKind kind)
    {
        var engine = EngineOf(kind).With("/v1/models", "{}", 401);

        var (found, _) = await EngineDetector.DetectAsync(engine.Client(_time), CancellationToken.None);

        Assert.Equal(kind, found);
    }

    [Theory]
    [InlineData("/metrics", "lmdeploy:num_requests_running{engine=\"0\"} 1", EngineKind.LmDeploy)]
    [InlineData("/metrics", "ray_vllm_num_requests_running{engine=\"0\"} 1", EngineKind.Vllm)]
    [InlineData("/prometheus/metrics", "trtllm_kv_cache_utilization 0.1", EngineKind.TensorRtLlm)]
    public async Task DetectAsync_WhenOnlyMetricsTell_GoesByTheirNames(string path, string page, EngineKind kind)
    {
        var engine = new CannedEngine().With("/v1/models", """{"data":[]}""").With(path, page);

        var (found, _) = await EngineDetector.DetectAsync(engine.Client(_time), CancellationToken.None);

        Assert.Equal(kind, found);
    }

    [Fact]
    public async Task DetectAsync_OfAServerThatTellsNothing_TakesItForPlainOpenAi()
    {
        var engine = new CannedEngine().With("/v1/models", """{"data":[{"id":"m","owned_by":"somebody"}]}""");

        var (found, _) = await EngineDetector.DetectAsync(engine.Client(_time), CancellationToken.None);

        Assert.Equal(EngineKind.OpenAi, found);
    }

    [Fact]
    public async Task DetectAsync_WhileTheEngineLoads_StaysUndecided()
    {
        var engine = new CannedEngine().With("/v1/models", """{"error":{"message":"Loading model"}}""", 503);

        var (found, reading) = await EngineDetector.DetectAsync(engine.Client(_time), CancellationToken.None);

        Assert.Equal(EngineKind.Auto, found);
        Assert.Equal(ReadingOutcome.Failed, reading.Outcome);
        Assert.Single(engine.Asked);
    }

    [Fact]
    public async Task DetectAsync_WhenNobodyListens_AsksOnce()
    {
        var engine = new CannedEngine { IsGone = true };

        var (found, _) = await EngineDetector.DetectAsync(engine.Client(_time), CancellationToken.None);

        Assert.Equal(EngineKind.Auto, found);
        Assert.Single(engine.Asked);
    }

    private static CannedEngine EngineOf(EngineKind kind) => kind switch
    {
        EngineKind.Vllm => Pages.Vllm(),
        EngineKind.SgLang => Pages.SgLang(),
        EngineKind.LlamaCpp => Pages.LlamaCpp(),
        EngineKind.Tgi => Pages.Tgi(),
        EngineKind.Ollama => Pages.Ollama(),
        EngineKind.TensorRtLlm => Pages.TensorRtLlm(),
        _ => Pages.LmDeploy(),
    };
}
