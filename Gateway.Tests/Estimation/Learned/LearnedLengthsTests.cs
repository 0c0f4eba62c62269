using Gateway.Estimation;
using Gateway.Requests;
using Gateway.Requests.Sketching;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Estimation.Learned;

public sealed class LearnedLengthsTests(ITestOutputHelper output)
{
    private static readonly string[] Topics = ["birds", "rivers", "engines", "bread", "poems", "maps", "stars", "paint"];

    public static TheoryData<string> Learning() => [.. OutputLengthEstimators.Names.Where(name => name != "constant")];

    [Theory]
    [MemberData(nameof(Learning))]
    public void Estimate_OfAnyRequestAtAnyTime_IsADistributionWithinItsLimits(string name)
    {
        var lengths = Create(name);
        var estimator = new RequestEstimator(new PromptTokenRatio(), () => lengths);
        var chance = new Random(5);
        for (var i = 0; i < 1_500; i++)
        {
            var request = Any(chance);
            var estimate = estimator.Estimate(request, $"m{chance.Next(3)}", 4, chance.Next(4) == 0 ? chance.Next(1, 8_000) : null).Output;
            var quantiles = Enumerable.Range(0, 21).Select(step => estimate.Quantile(step / 20.0)).ToArray();

            Assert.Equal(quantiles.Order(), quantiles);
            Assert.All(quantiles, quantile => Assert.InRange(quantile, 0, Math.Min(estimate.LimitTokens, request.Body.MaxOutputTokens ?? int.MaxValue)));
            Assert.InRange(estimate.MeanTokens, 0, estimate.LimitTokens);
            Assert.InRange(estimate.RemainingTokens(chance.Next(0, 5_000)), 0, estimate.LimitTokens);
            Assert.True(double.IsFinite(estimate.ExpectedExponential(0.01, 50)));
            ((IOutputLengthLearner)lengths).Learn(request, $"m{chance.Next(3)}", chance.Next(5) == 0 ? chance.Next(0, 1 << 20) : chance.Next(0, 900), chance.Next(6) == 0);
        }
    }

    [Theory]
    [MemberData(nameof(Learning))]
    public void Learn_FromARequestOfTheLargestNumbers_LeavesOthersAPrediction(string name)
    {
        var lengths = Create(name);
        var text = TextSketch.Of("name one fact about birds");
        var largest = new BodyFacts
        {
            PromptBytes = int.MaxValue,
            MaxOutputTokens = int.MaxValue,
            ReasoningBudgetTokens = int.MaxValue,
            MinOutputTokens = int.MaxValue,
            Messages = int.MaxValue,
            StopSequences = int.MaxValue,
            MediaParts = int.MaxValue,
            Choices = int.MaxValue,
            Sketch = text,
        };
        for (var i = 1; i <= 100; i++)
        {
            var limited = new BodyFacts { PromptBytes = 25, Messages = i, MaxOutputTokens = 100 * i, ReasoningBudgetTokens = i, MinOutputTokens = i, StopSequences = i, MediaParts = i, Sketch = text };
            ((IOutputLengthLearner)lengths).Learn(Request("go on") with { Body = limited }, "m", 20 + i, false);
        }

        for (var i = 0; i < 3; i++)
        {
            ((IOutputLengthLearner)lengths).Learn(Request("go on") with { Body = largest }, "m", 20, false);
        }

        Assert.InRange(Median(lengths, Request("go on") with { Body = largest }), 1, 10_000);
        Assert.InRange(Median(lengths, Request("name one fact about birds")), 1, 10_000);
        Assert.True(LengthSnapshot.TryRead(LengthSnapshot.Write(lengths, 1)!, Create(name)));
    }

    [Theory]
    [InlineData("linear")]
    [InlineData("ensemble")]
    public void Predict_AfterSomeHundredAnswers_TellsShortTasksFromLongOnes(string name)
    {
        var lengths = Create(name);
        Teach(lengths, 600, new Random(1));

        Assert.True(Median(lengths, Request("name one fact about birds")) * 3 < Median(lengths, Request("write an essay about birds")));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(350)]
    [InlineData(1_000)]
    [InlineData(4_000)]
    public void Predict_WhereAllAnswersWereAlike_ExpectsThatLengthAndNoMore(int tokens)
    {
        var lengths = Create("ensemble");
        for (var i = 0; i < 1_000; i++)
        {
            Learn(lengths, Request("go on"), tokens);
        }

        // Four of a thousand are the prior's, which knows of longer ones.
        Assert.InRange(lengths.Predict(Request("go on"), "m").ExpectedTokens(0, 32_768) / tokens, 0.98, 1.03);
    }

    [Fact]
    public void Predict_OfAPromptLikeEarlierOnes_GoesByTheirAnswers()
    {
        var lengths = Create("neighbours");
        var chance = new Random(7);
        for (var i = 0; i < 600; i++)
        {
            var topic = chance.Next(Topics.Length);
            Learn(lengths, Request($"tell me of {Topics[topic]}"), 20 << topic);
        }

        Assert.InRange(Median(lengths, Request($"tell me of {Topics[1]}")), 20, 120);
        Assert.InRange(Median(lengths, Request($"tell me of {Topics[6]}")), 640, 2_600);
    }

    [Fact]
    public void Predict_WithAHintThatProvedHonest_FollowsIt()
    {
        var lengths = Create("ensemble");
        var chance = new Random(3);
        for (var i = 0; i < 400; i++)
        {
            var tokens = (int)Math.Exp(3 + (chance.NextDouble() * 4));
            // Twice what comes: a habit that the key learns.
            Learn(lengths, Hinted(2 * tokens), tokens);
        }

        Assert.InRange(Median(lengths, Hinted(200)), 80, 125);
        Assert.InRange(Median(lengths, Hinted(1_600)), 640, 1_000);
    }

    [Fact]
    public void Predict_WithAHintThatNeverHeld_IsNotMovedByIt()
    {
        var lengths = Create("ensemble");
        var chance = new Random(3);
        for (var i = 0; i < 400; i++)
        {
            Learn(lengths, Hinted(chance.Next(1, 8_000)), 100);
        }

        Assert.InRange(Median(lengths, Hinted(8_000)), 70, 140);
    }

    [Fact]
    public void Predict_AfterTheModelChanged_IsRightAgainWithinAHundredAnswers()
    {
        var lengths = Create("ensemble");
        var chance = new Random(2);
        for (var i = 0; i < 2_000; i++)
        {
            Learn(lengths, Request("tell me"), chance.Next(450, 550));
        }
        for (var i = 0; i < 100; i++)
        {
            Learn(lengths, Request("tell me"), chance.Next(45, 55));
        }

        Assert.InRange(Median(lengths, Request("tell me")), 30, 90);
    }

    [Theory]
    [InlineData(9)]
    [InlineData(10)]
    [InlineData(11)]
    public void Bound_OnADriftingStream_KeepsItsShare(int seed)
    {
        output.WriteLine($"seed {seed}");
        var lengths = Create("ensemble");
        var chance = new Random(seed);
        var (covered, count) = (0, 0);
        for (var i = 0; i < 6_000; i++)
        {
            // The middle doubles and halves again every two thousand answers, and the spread with it.
            var wave = Math.Sin(i * Math.PI / 1_000);
            var tokens = (int)Math.Exp(5 + (0.7 * wave) + ((0.5 + (0.2 * wave)) * Normal(chance)));
            if (i >= 500)
            {
                covered += tokens <= lengths.Predict(Request("go on"), "m").Quantile(0.9) ? 1 : 0;
                count++;
            }
            Learn(lengths, Request("go on"), tokens);
        }

        Assert.InRange((double)covered / count, 0.88, 0.92);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Predict_WhereTurnsOfASessionAreAlike_IsHardlyWorseThanTheRunningMedian(int seed)
    {
        output.WriteLine($"seed {seed}");
        IOutputLengthEstimator ensemble = Create("ensemble"), running = Create("running");
        var chance = new Random(seed);
        var (off, offRunning) = (0.0, 0.0);
        for (var turn = 0; turn < 600;)
        {
            var level = 4.6 + (0.7 * Normal(chance));
            for (var left = chance.Next(8, 25); left > 0; left--, turn++)
            {
                var tokens = (int)Math.Exp(level + (0.3 * Normal(chance)));
                if (turn >= 200)
                {
                    off += Math.Abs(Median(ensemble, Request("go on")) - tokens);
                    offRunning += Math.Abs(Median(running, Request("go on")) - tokens);
                }
                Learn(ensemble, Request("go on"), tokens);
                Learn(running, Request("go on"), tokens);
            }
        }

        Assert.True(off < 1.1 * offRunning, $"{off} against {offRunning}");
    }

    [Fact]
    public void Learn_OnceItsRoomIsTaken_AllocatesNothing()
    {
        var lengths = Create("ensemble");
        var chance = new Random(8);
        // Fills the ring of answers to learn from again, the last that grows.
        var requests = Enumerable.Range(0, 64).Select(_ => Request(string.Join(' ', Enumerable.Range(0, 300).Select(_ => $"w{chance.Next(5_000)}")))).ToArray();
        for (var i = 0; i < 12_000; i++)
        {
            Learn(lengths, requests[i & 63], chance.Next(1, 900));
        }

        var sum = 0.0;
        var allocated = Allocations.Least(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                sum += Median(lengths, requests[i & 63]);
                Learn(lengths, requests[i & 63], chance.Next(1, 900));
            }
        });

        Assert.Equal(0, allocated);
        Assert.True(sum > 0);
    }

    [Fact]
    public void Predict_HeldWhileTheKeyLearnsOn_StaysADistribution()
    {
        var lengths = Create("ensemble");
        var chance = new Random(12);
        Teach(lengths, 100, chance);
        var held = lengths.Predict(Request("write an essay about birds"), "m");

        for (var i = 0; i < 300; i++)
        {
            Teach(lengths, 1, chance);
            var quantiles = Enumerable.Range(1, 19).Select(step => held.Quantile(step / 20.0)).ToArray();

            Assert.Equal(quantiles.Order(), quantiles);
            Assert.InRange(held.Survival(200), 0, 1);
        }
    }

    [Fact]
    public void Predict_BesideATenantWhoSendsNonsense_StaysRightForTheOthers()
    {
        IOutputLengthEstimator alone = Create("ensemble"), beside = Create("ensemble");
        var (chance, hostile) = (new Random(4), new Random(5));
        for (var i = 0; i < 800; i++)
        {
            var (request, tokens) = Task(chance);
            Learn(alone, request, tokens);
            Learn(beside, request, tokens);
            for (var j = 0; j < 5; j++)
            {
                Learn(beside, Task(hostile).Request with { TenantKey = 666 }, hostile.Next(2) == 0 ? 1 : 30_000);
            }
        }

        var (tests, without, with) = (new Random(6), 0.0, 0.0);
        for (var i = 0; i < 200; i++)
        {
            var (request, tokens) = Task(tests);
            without += Math.Abs(Median(alone, request) - tokens);
            with += Math.Abs(Median(beside, request) - tokens);
        }

        output.WriteLine($"error alone {without / 200:F1}, beside {with / 200:F1}");
        // Five of six answers are nonsense.
        Assert.True(with < 1.5 * without, $"{without} became {with}");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Learn_InAnyOrder_ComesToNearlyTheSame(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var lessons = Enumerable.Range(0, 900).Select(_ => Task(chance)).ToArray();
        IOutputLengthEstimator one = Create("ensemble"), other = Create("ensemble");
        Array.ForEach(lessons, lesson => Learn(one, lesson.Request, lesson.Tokens));
        chance.Shuffle(lessons);
        Array.ForEach(lessons, lesson => Learn(other, lesson.Request, lesson.Tokens));

        var ratios = Enumerable.Range(0, 100).Select(_ => Task(chance).Request).Select(request => Math.Abs(Math.Log(Median(one, request) / Median(other, request)))).Order().ToArray();

        // Half of the predictions within a factor of e to the 0.35, nine of ten within e to the 0.8.
        Assert.InRange(ratios[50], 0, 0.35);
        Assert.InRange(ratios[90], 0, 0.8);
    }

    [Fact]
    public void Learn_OfManyKeys_KeepsABoundedNumberAndTheUsedOnes()
    {
        var lengths = Create("running");
        for (var i = 0; i < 20_000; i++)
        {
            Learn(lengths, Request("x") with { TenantKey = (ulong)i + 1 }, 10);
            Learn(lengths, Request("x") with { TenantKey = 77_777 }, 900);
        }

        Assert.InRange(Median(lengths, Request("x") with { TenantKey = 77_777 }), 700, 1_100);
        Assert.InRange(LengthSnapshot.Write(lengths, 1)!.Length, 1, LengthSnapshot.MaxBytes);
    }

    private static IOutputLengthEstimator Create(string name) => OutputLengthEstimators.Create(new EstimationOptions { Estimator = name });

    private static void Learn(IOutputLengthEstimator lengths, InferenceRequest request, int tokens) =>
        ((IOutputLengthLearner)lengths).Learn(request, "m", tokens, isCensored: false);

    private static double Median(IOutputLengthEstimator lengths, InferenceRequest request) => lengths.Predict(request, "m").Quantile(0.5);

    private static void Teach(IOutputLengthEstimator lengths, int answers, Random chance)
    {
        for (var i = 0; i < answers; i++)
        {
            var (request, tokens) = Task(chance);
            Learn(lengths, request, tokens);
        }
    }

    private static (InferenceRequest Request, int Tokens) Task(Random chance)
    {
        var topic = Topics[chance.Next(Topics.Length)];
        return chance.Next(2) == 0
            ? (Request($"name one fact about {topic}"), chance.Next(20, 40))
            : (Request($"write an essay about {topic}"), chance.Next(500, 900));
    }

    private static InferenceRequest Request(string text) =>
        CorePool.Request() with { TenantKey = 5, Body = new BodyFacts { PromptBytes = text.Length, Messages = 1, Sketch = TextSketch.Of(text) } };

    private static InferenceRequest Hinted(int tokens)
    {
        var request = Request("go");
        return request with { Body = request.Body with { ExpectedOutputTokensHint = tokens } };
    }

    private static InferenceRequest Any(Random chance)
    {
        var text = new string([.. Enumerable.Range(0, chance.Next(0, 400)).Select(_ => (char)chance.Next(32, chance.Next(2) == 0 ? 127 : 0xFFFF))]);
        return CorePool.Request() with
        {
            TenantKey = (ulong)chance.Next(3),
            Body = new BodyFacts
            {
                PromptBytes = chance.Next(0, 1 << 20),
                Messages = chance.Next(0, 40),
                HasTools = chance.Next(2) == 0,
                SystemPromptKey = (ulong)chance.Next(2),
                MaxOutputTokens = chance.Next(2) == 0 ? chance.Next(0, 2_000) : null,
                MinOutputTokens = chance.Next(5) == 0 ? chance.Next(0, 3_000) : 0,
                ExpectedOutputTokensHint = chance.Next(3) == 0 ? chance.Next(1, int.MaxValue) : null,
                Sketch = chance.Next(5) == 0 ? null : TextSketch.Of(text),
            },
        };
    }

    private static double Normal(Random chance) => Math.Sqrt(-2 * Math.Log(1 - chance.NextDouble())) * Math.Cos(2 * Math.PI * chance.NextDouble());
}
