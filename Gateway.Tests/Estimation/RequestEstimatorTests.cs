using Gateway.Estimation;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Estimation;

public sealed class RequestEstimatorTests
{
    private readonly PromptTokenRatio _ratio = new();
    private readonly RequestEstimator _estimator;

    public RequestEstimatorTests()
    {
        var lengths = new RunningLengths(new EstimationOptions { InitialOutputTokens = 256 });
        _estimator = new RequestEstimator(_ratio, () => lengths);
    }

    [Fact]
    public void Estimate_WithoutLimits_EndsAtTheContext()
    {
        var estimate = Estimate(new BodyFacts { PromptBytes = 400 }, context: 1_000);

        Assert.Equal((100, 50, 900, 1), (estimate.PromptTokens, estimate.LeastPromptTokens, estimate.Output.LimitTokens, estimate.Sequences));
    }

    [Theory]
    [InlineData(null, 32_768)]
    [InlineData(50, 50)]
    [InlineData(0, 0)]
    [InlineData(5_000, 5_000)]
    public void Estimate_WithoutAKnownContext_EndsAtTheClientsLimit(int? limit, int expected) =>
        Assert.Equal(expected, Estimate(new BodyFacts { MaxOutputTokens = limit }).Output.LimitTokens);

    [Fact]
    public void Estimate_IgnoringTheEnd_IsExactlyTheLimit()
    {
        var estimate = Estimate(new BodyFacts { MaxOutputTokens = 700, IgnoresEndOfSequence = true });

        Assert.Equal((700.0, 700), (estimate.OutputTokens, estimate.Output.Quantile(0.1)));
    }

    [Fact]
    public void Estimate_OfSeveralAnswers_CountsThemAll()
    {
        var estimate = Estimate(new BodyFacts { MaxOutputTokens = 10, IgnoresEndOfSequence = true, Prompts = 3, Choices = 2 });

        Assert.Equal((6, 60.0), (estimate.Sequences, estimate.OutputTokens));
    }

    [Fact]
    public void Estimate_OfAbsurdlyManyAnswers_DoesNotOverflow()
    {
        var estimate = Estimate(new BodyFacts { Prompts = 100_000, Choices = int.MaxValue });

        Assert.Equal(1 << 20, estimate.Sequences);
    }

    [Fact]
    public void Estimate_OfAnEmbedding_ExpectsNoAnswer()
    {
        var request = CorePool.Request() with { Route = ApiRoute.Embeddings };

        Assert.Equal(0, _estimator.Estimate(request, "m", 4, null).OutputTokens);
    }

    [Fact]
    public void Tokens_AfterUsageTaughtAnother_FollowTheRatio()
    {
        var body = new BodyFacts { PromptBytes = 3_000 };

        for (var i = 0; i < 200; i++)
        {
            _ratio.Learn(body, "m", 4, promptTokens: 1_500);
        }

        Assert.InRange(_ratio.BytesPerToken("m", 4), 2.0, 2.01);
        Assert.Equal(4, _ratio.BytesPerToken("other", 4));
        Assert.InRange(_ratio.Tokens(body, "m", 4).Expected, 1_480, 1_500);
    }

    [Theory]
    [InlineData(0, 100, 0, 0)]
    [InlineData(100, 0, 0, 0)]
    [InlineData(100, 50, 1, 0)]
    [InlineData(100, 50, 0, 10)]
    public void Learn_FromWhatSaysNothingAboutText_ChangesNothing(int bytes, int tokens, int media, int ids)
    {
        _ratio.Learn(new BodyFacts { PromptBytes = bytes, MediaParts = media, PromptTokenIds = ids }, "m", 4, tokens);

        Assert.Equal(4, _ratio.BytesPerToken("m", 4));
    }

    [Theory]
    [InlineData(400, int.MaxValue)]
    [InlineData(1_000_000, 1)]
    public void Learn_FromOneAbsurdCountAmongMany_MovesLittle(int bytes, int tokens)
    {
        Repeat(200);

        _ratio.Learn(new BodyFacts { PromptBytes = bytes }, "m", 4, tokens);

        Assert.InRange(_ratio.BytesPerToken("m", 4), 3.5, 4.5);

        void Repeat(int times)
        {
            for (var i = 0; i < times; i++)
            {
                _ratio.Learn(new BodyFacts { PromptBytes = 4_000 }, "m", 4, 1_000);
            }
        }
    }

    [Fact]
    public void Learn_FromAnAnswerToAStoredResponse_ChangesNothing()
    {
        // The engine counts the whole conversation, of which the body brings the last message.
        _ratio.Learn(new BodyFacts { PromptBytes = 40, PreviousResponseKey = 7 }, "m", 4, 50_000);

        Assert.Equal(4, _ratio.BytesPerToken("m", 4));
    }

    [Fact]
    public void Learn_FromAbsurdCounts_StaysWithinReason()
    {
        for (var i = 0; i < 20_000; i++)
        {
            _ratio.Learn(new BodyFacts { PromptBytes = 1 }, "m", 4, int.MaxValue);
            _ratio.Learn(new BodyFacts { PromptBytes = int.MaxValue }, "n", 4, 1);
        }

        Assert.InRange(_ratio.BytesPerToken("m", 4), 0.25, 0.3);
        Assert.InRange(_ratio.BytesPerToken("n", 4), 60, 64);
    }

    [Fact]
    public async Task Learn_FromManyThreads_KeepsTheRatio()
    {
        var body = new BodyFacts { PromptBytes = 300 };

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 2_000; i++)
            {
                _ratio.Learn(body, "m", 4, 100);
            }
        })));

        Assert.InRange(_ratio.BytesPerToken("m", 4), 3.0, 3.02);
    }

    private RequestEstimate Estimate(BodyFacts body, int? context = null) =>
        _estimator.Estimate(CorePool.Request() with { Body = body }, "m", 4, context);
}
