using Gateway.Queueing.Shadows;
using Gateway.Replicas.Rates;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing.Shadows;

public sealed class FluidEngineTests
{
    // 1 ms per prompt token, 10 ms a step and 1 ms for each sequence in it.
    private static readonly ServiceRates Rates = ServiceRates.Initial with { PrefillSecondsPerToken = 0.001, StepBaseSeconds = 0.010, StepSecondsPerSequence = 0.001 };

    [Fact]
    public void Step_OfOneAnswer_TakesItsPrefillAndItsSteps()
    {
        var engine = new FluidEngine(10_000, 8) { Rates = Rates };
        engine.Submit(Answer(1, prompt: 100, output: 11), TimeSpan.Zero);

        var ends = Run(engine);

        // 100 ms of prefill bring the first token; ten more steps of 11 ms the rest.
        Assert.Equal([(1L, false, 100.0), (1L, true, 210.0)], ends);
    }

    [Fact]
    public void Step_OfTwoAnswers_ComputesPromptsInTurnAndThenSharesSteps()
    {
        var engine = new FluidEngine(10_000, 8) { Rates = Rates };
        engine.Submit(Answer(1, prompt: 100, output: 11), TimeSpan.Zero);
        engine.Submit(Answer(2, prompt: 50, output: 11), TimeSpan.Zero);

        var ends = Run(engine);

        // The second prompt stands in the first one's way; both then take ten steps of 12 ms.
        Assert.Equal([(1L, false, 100.0), (2L, false, 150.0), (1L, true, 270.0), (2L, true, 270.0)], ends);
    }

    [Fact]
    public void Step_WithoutRoomToGrow_ComputesTheNewestAgain()
    {
        var engine = new FluidEngine(210, 8) { Rates = Rates };
        engine.Submit(Answer(1, prompt: 100, output: 21), TimeSpan.Zero);
        engine.Submit(Answer(2, prompt: 100, output: 21), TimeSpan.Zero);

        var ends = Run(engine);

        Assert.Equal(1, engine.Preemptions);
        Assert.Equal([1L, 2L], ends.Where(end => end.IsFinished).Select(end => end.Number));
    }

    [Theory]
    [InlineData(false, 112.5)]
    [InlineData(true, 5.5)]
    public void Step_OfOneThatLostItsRoom_ComputesAgainWhatIsNotFound(bool hasName, double expectedMilliseconds)
    {
        var engine = new FluidEngine(225, 8) { Rates = Rates };
        engine.Submit(Answer(1, prompt: 100, output: 18), TimeSpan.Zero);
        engine.Submit(Answer(2, prompt: 100, output: 100, blocks: hasName ? [1, 2] : []), TimeSpan.Zero);

        var ends = Run(engine);

        // Each is at 12.5 tokens when the room is full; the first grows by 5.5 more before the second, its prompt and what it has, comes back.
        Assert.Equal(1, engine.Preemptions);
        Assert.Equal([(1L, true), (2L, false)], ends[2..4].Select(end => (end.Number, end.IsFinished)));
        Assert.Equal(expectedMilliseconds, ends[3].Milliseconds - ends[2].Milliseconds, 0.1);
    }

    [Fact]
    public void Submit_AfterAnAnswerEnded_FindsTheRoomOfThoseThatRunTaken()
    {
        var engine = new FluidEngine(300, 8) { Rates = Rates };
        engine.Submit(Answer(1, prompt: 100, output: 100), TimeSpan.Zero);
        engine.Submit(Answer(2, prompt: 50, output: 50), TimeSpan.Zero);
        var now = TimeSpan.Zero;
        while (engine.Step(now = engine.NextAt!.Value) is not (_, true))
        {
        }

        // Of the first one 100 tokens of prompt and 50 of answer are there.
        engine.Submit(Answer(3, prompt: 160, output: 10), now);

        Assert.Equal((1, 1), (engine.Running, engine.Waiting));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Step_OfAnyAnswersInAnyRoom_EndsEachOnceAndLeavesNothing(int seed)
    {
        var chance = new Random(seed);
        var engine = new FluidEngine(chance.Next(200, 3_000), chance.Next(1, 12)) { Rates = Rates };
        var ends = new List<(long Number, bool IsFinished, double Milliseconds)>();
        var now = TimeSpan.Zero;
        for (var i = 0; i < 300; i++)
        {
            now += TimeSpan.FromMilliseconds(chance.Next(0, 400));
            ends.AddRange(Run(engine, until: now));
            engine.Submit(Answer(i, chance.Next(1, 400), chance.Next(1, 80), chance.Next(1, 4)), now);
        }
        ends.AddRange(Run(engine));

        Assert.Equal(Enumerable.Range(0, 300).Select(i => (long)i), ends.Where(end => end.IsFinished).Select(end => end.Number).Order());
        Assert.Equal((0, 0, (TimeSpan?)null), (engine.Running, engine.Waiting, engine.NextAt));
        Assert.Equal(ends.Select(end => end.Milliseconds).Order(), ends.Select(end => end.Milliseconds));
    }

    private static List<(long Number, bool IsFinished, double Milliseconds)> Run(FluidEngine engine, TimeSpan? until = null)
    {
        var happened = new List<(long, bool, double)>();
        while (engine.NextAt is { } next && !(next > until))
        {
            if (engine.Step(next) is var (answer, isFinished))
            {
                happened.Add((answer.Number, isFinished, Math.Round(next.TotalMilliseconds, 2)));
            }
        }
        return happened;
    }

    private static FluidAnswer Answer(long number, int prompt, int output, int sequences = 1, ulong[]? blocks = null) =>
        new(number, CorePool.Request(blocks: blocks ?? []), CorePool.Cost(prompt, output, sequences), TimeSpan.Zero, output) { OwnPromptTokens = prompt };
}
