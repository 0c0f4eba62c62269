using Gateway.Estimation;
using Gateway.Learning;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Learning;

public sealed class CompletionLearnerTests
{
    private readonly PromptTokenRatio _ratio = new();
    private readonly ManualTime _time = new();
    private readonly Recorder _lengths = new();
    private readonly CompletionLearner _learner;

    public CompletionLearnerTests()
    {
        var fleet = new Fleet();
        fleet.SetPools([new Pool(new ModelOptions { Name = "m" }, new FaultLimits(3, TimeSpan.FromSeconds(1)), TimeProvider.System)]);
        _learner = new CompletionLearner(fleet, _ratio, () => _lengths, _time);
    }

    [Fact]
    public void OnCompleted_OfAnAnswer_LearnsItsLengthAndItsPrompt()
    {
        _learner.OnCompleted(Completed());

        Assert.Equal([(80, false)], _lengths.Lessons);
        Assert.True(_ratio.BytesPerToken("m", 4) < 4);
    }

    [Theory]
    [InlineData(RequestOutcome.Failed)]
    [InlineData(RequestOutcome.Refused)]
    [InlineData(RequestOutcome.ClientError)]
    public void OnCompleted_OfWhatWasNoAnswer_LearnsNoLength(RequestOutcome outcome)
    {
        _learner.OnCompleted(Completed() with { Outcome = outcome });

        Assert.Empty(_lengths.Lessons);
    }

    [Fact]
    public void OnCompleted_OfACutAnswer_LearnsALowerBound()
    {
        _learner.OnCompleted(Completed() with { Outcome = RequestOutcome.Canceled, IsCensored = true });

        Assert.Equal([(80, true)], _lengths.Lessons);
    }

    [Fact]
    public void OnCompleted_OfAForcedLength_LearnsALowerBound()
    {
        _learner.OnCompleted(Completed(new BodyFacts { PromptBytes = 400, IgnoresEndOfSequence = true }));

        Assert.Equal([(80, true)], _lengths.Lessons);
    }

    [Fact]
    public void OnCompleted_OfSeveralAnswers_LearnsTheLengthOfOne()
    {
        _learner.OnCompleted(Completed(new BodyFacts { PromptBytes = 400, Choices = 4 }));

        Assert.Equal([(20, false)], _lengths.Lessons);
    }

    [Fact]
    public void OnCompleted_OfAnswersFasterThanLessonsAreWorth_LearnsTheLengthsOfAShare()
    {
        const int answers = 50_000;

        for (var i = 0; i < answers; i++)
        {
            _learner.OnCompleted(Completed());
            _time.Advance(TimeSpan.FromSeconds(5.0 / answers));
        }

        // All of the first second, whose rate is not known before, and as many as are worth it in each of the other four.
        const int all = answers / 5;
        Assert.InRange(_lengths.Lessons.Count, all + (3 * LessonSampler.PerSecond), all + (5 * LessonSampler.PerSecond));
    }

    [Fact]
    public void OnCompleted_OfAModelThatIsGone_LearnsNothing()
    {
        _learner.OnCompleted(Completed() with { Model = "gone" });
        _learner.OnCompleted(Completed() with { Request = null });

        Assert.Empty(_lengths.Lessons);
    }

    private static CompletedRequest Completed(BodyFacts? body = null) => new()
    {
        Request = CorePool.Request() with { Body = body ?? new BodyFacts { PromptBytes = 400 } },
        Route = ApiRoute.ChatCompletions,
        RequestId = "q",
        Model = "m",
        Outcome = RequestOutcome.Success,
        StatusCode = 200,
        OutputTokens = 80,
        Usage = new TokenUsage(200, 80, null, null),
    };

    private sealed class Recorder : IOutputLengthEstimator, IOutputLengthLearner
    {
        public List<(int Tokens, bool IsCensored)> Lessons { get; } = [];

        public string Name => "recorder";

        public LengthDistribution Predict(InferenceRequest request, string model) => throw new NotSupportedException();

        public void Learn(InferenceRequest request, string model, int outputTokens, bool isCensored) => Lessons.Add((outputTokens, isCensored));
    }
}
