using Gateway.Simulation;
using Xunit.Abstractions;

namespace Gateway.Tests.Simulation;

public class EngineModelTests(ITestOutputHelper output)
{
    private static readonly EngineProfile Small = EngineProfiles.Demo with { Name = "small", KvBlocks = 8, BlockTokens = 4, MaxSequences = 4, MaxBatchedTokens = 16 };

    [Fact]
    public void Step_OfALongPrompt_PrefillsInChunksOfTheBudget()
    {
        var model = new EngineModel(Small with { KvBlocks = 100 });
        var handle = model.Submit(new EngineRequest { PromptTokens = 40, OutputTokens = 2 });

        var tokens = Enumerable.Range(0, 4).Select(_ => NextStep(model)).ToArray();

        Assert.Empty(tokens[0]);
        Assert.Empty(tokens[1]);
        Assert.Equal([new EngineToken(handle, 1, false, 0)], tokens[2]);
        Assert.Equal([new EngineToken(handle, 2, true, 0)], tokens[3]);
        Assert.Equal(16 + 16 + 8 + 1, model.Counters.StepTokens);
    }

    [Fact]
    public void Step_WithARunningRequest_DecodesItBesideTheNextPromptsChunk()
    {
        var model = new EngineModel(Small with { KvBlocks = 100 });
        var first = model.Submit(new EngineRequest { PromptTokens = 4, OutputTokens = 9 });
        NextStep(model);
        var second = model.Submit(new EngineRequest { PromptTokens = 20, OutputTokens = 1 });

        var mixed = NextStep(model);
        var last = NextStep(model);

        Assert.Equal([new EngineToken(first, 2, false, 0)], mixed);
        Assert.Equal([new EngineToken(first, 3, false, 0), new EngineToken(second, 1, true, 0)], last);
    }

    [Fact]
    public void Admission_WhenTheHeadDoesNotFit_LetsNobodyPast()
    {
        var model = new EngineModel(Small);
        model.Submit(new EngineRequest { PromptTokens = 16, OutputTokens = 4 });
        NextStep(model);
        model.Submit(new EngineRequest { PromptTokens = 24, OutputTokens = 1 });
        model.Submit(new EngineRequest { PromptTokens = 1, OutputTokens = 1 });

        NextStep(model);

        Assert.Equal(1, model.Counters.Running);
        Assert.Equal(2, model.Counters.Waiting);
    }

    [Fact]
    public void Admission_WithoutReservingTheFullPrompt_LooksAtTheFirstChunkOnly()
    {
        var model = new EngineModel(Small with { ReservesFullPrompt = false });
        model.Submit(new EngineRequest { PromptTokens = 13, OutputTokens = 4 });
        NextStep(model);
        model.Submit(new EngineRequest { PromptTokens = 24, OutputTokens = 1 });

        NextStep(model);

        Assert.Equal(2, model.Counters.Running);
    }

    [Fact]
    public void Decode_WhenKvRunsOut_PreemptsTheLastAdmittedAndRecomputesItFirst()
    {
        var model = new EngineModel(Small with { KvBlocks = 6 });
        var old = model.Submit(new EngineRequest { PromptTokens = 8, OutputTokens = 12 });
        var young = model.Submit(new EngineRequest { PromptTokens = 8, OutputTokens = 12 });

        var finished = FinishAll(model, 2);

        Assert.Equal([old, young], finished);
        Assert.Equal(1, model.Counters.Preemptions);
        Assert.Equal(24, model.Counters.GeneratedTokens);
        Assert.Equal(16, model.Counters.PromptTokens);
        Assert.Equal(0, model.Counters.UsedBlocks);
    }

    [Fact]
    public void Preempted_UnderFcfs_ReturnsBeforeThoseThatHadNotBegun()
    {
        var model = new EngineModel(Small with { KvBlocks = 6, MaxSequences = 2 });
        var old = model.Submit(new EngineRequest { PromptTokens = 8, OutputTokens = 12 });
        var young = model.Submit(new EngineRequest { PromptTokens = 8, OutputTokens = 12 });
        var waiting = model.Submit(new EngineRequest { PromptTokens = 4, OutputTokens = 1 });

        var finished = FinishAll(model, 3);

        Assert.Equal(1, model.Counters.Preemptions);
        Assert.Equal([old, waiting, young], finished);
    }

    [Fact]
    public void Step_ThatPreempts_AdmitsNobody()
    {
        var model = new EngineModel(Small with { KvBlocks = 6 }, SchedulingPolicy.Priority);
        model.Submit(new EngineRequest { PromptTokens = 8, OutputTokens = 12 });
        model.Submit(new EngineRequest { PromptTokens = 8, OutputTokens = 12, Priority = 9 });
        for (var step = 0; step < 5; step++)
        {
            NextStep(model);
        }

        model.Submit(new EngineRequest { PromptTokens = 1, OutputTokens = 2, Priority = 1 });
        NextStep(model);
        var (running, waiting, preemptions) = (model.Counters.Running, model.Counters.Waiting, model.Counters.Preemptions);
        NextStep(model);

        Assert.Equal((1, 2, 1), (running, waiting, preemptions));
        Assert.Equal(2, model.Counters.Running);
    }

    [Fact]
    public void Preemption_OfARequestThatWasAlreadyInTheStep_GivesItsTokensToTheOthers()
    {
        var model = new EngineModel(Small with { KvBlocks = 4, MaxBatchedTokens = 4, ReservesFullPrompt = false }, SchedulingPolicy.Priority);
        model.Submit(new EngineRequest { PromptTokens = 4, OutputTokens = 9, Priority = 9 });
        NextStep(model);
        model.Submit(new EngineRequest { PromptTokens = 4, OutputTokens = 9 });
        NextStep(model);
        model.Submit(new EngineRequest { PromptTokens = 12, OutputTokens = 1 });
        NextStep(model);
        var before = model.Counters.StepTokens;

        NextStep(model);

        Assert.Equal(1, model.Counters.Preemptions);
        Assert.Equal(4, model.Counters.StepTokens - before);
    }

    [Fact]
    public void Priority_OfWaitingRequests_GoesLowestNumberFirstAndThenByArrival()
    {
        var model = new EngineModel(Small with { MaxSequences = 1 }, SchedulingPolicy.Priority);
        int Submit(int priority) => model.Submit(new EngineRequest { PromptTokens = 4, OutputTokens = 1, Priority = priority });
        int[] handles = [Submit(5), Submit(-1), Submit(5), Submit(0)];

        var order = Enumerable.Range(0, 4).Select(_ => NextStep(model).Single().Handle).ToArray();

        Assert.Equal([handles[1], handles[3], handles[0], handles[2]], order);
    }

    [Fact]
    public void Priority_WhenKvRunsOut_PreemptsTheLargestNumberWhereverItStands()
    {
        var model = new EngineModel(Small with { KvBlocks = 6 }, SchedulingPolicy.Priority);
        var batch = model.Submit(new EngineRequest { PromptTokens = 8, OutputTokens = 12, Priority = 9 });
        NextStep(model);
        var urgent = model.Submit(new EngineRequest { PromptTokens = 8, OutputTokens = 12, Priority = 1 });

        var finished = FinishAll(model, 2);

        Assert.Equal([urgent, batch], finished);
    }

    [Fact]
    public void Prefix_SharedWithAFinishedRequest_IsNotComputedAgain()
    {
        var model = new EngineModel(Small);
        ulong[] prompt = [11, 12, 13];
        RunAlone(model, new EngineRequest { PromptTokens = 12, OutputTokens = 1, BlockHashes = prompt });
        var stepTokens = model.Counters.StepTokens;

        var token = RunAlone(model, new EngineRequest { PromptTokens = 13, OutputTokens = 1, BlockHashes = new ulong[] { 11, 12, 99 } });

        Assert.Equal(8, token.CachedTokens);
        Assert.Equal(13 - 8, model.Counters.StepTokens - stepTokens);
        Assert.Equal(8, model.Counters.PrefixHitTokens);
        Assert.Equal(25, model.Counters.PrefixQueryTokens);
    }

    [Fact]
    public void Prefix_WithTheCacheOff_IsComputedAgainAndNotCounted()
    {
        var model = new EngineModel(Small with { KvBlocks = 100, CachesPrefixes = false });
        ulong[] blocks = [1, 2, 3];
        for (var i = 0; i < 2; i++)
        {
            model.Submit(new EngineRequest { PromptTokens = 12, OutputTokens = 1, BlockHashes = blocks });
            NextStep(model);
        }

        Assert.Equal((0, 0, 24), (model.Counters.PrefixHitTokens, model.Counters.PrefixQueryTokens, model.Counters.PromptTokens));
    }

    [Fact]
    public void Prefix_OfAPromptOfTheSameStep_IsComputedAndHeldOnce()
    {
        var model = new EngineModel(Small);
        model.Submit(new EngineRequest { PromptTokens = 9, OutputTokens = 2, BlockHashes = new ulong[] { 1, 2 } });
        var second = model.Submit(new EngineRequest { PromptTokens = 11, OutputTokens = 2, BlockHashes = new ulong[] { 1, 2 } });

        var tokens = NextStep(model);

        // The first computes nine in three blocks; the second finds two of them and computes three in one of its own.
        Assert.Equal(new EngineToken(second, 1, false, 8), tokens[1]);
        Assert.Equal((9 + 3, 3 + 1), (model.Counters.StepTokens, model.Counters.UsedBlocks));
    }

    [Fact]
    public void Prefix_OfAChunkOfTheSameStep_ReachesToItsEnd()
    {
        var model = new EngineModel(Small with { KvBlocks = 100 });
        var request = new EngineRequest { PromptTokens = 24, OutputTokens = 1, BlockHashes = new ulong[] { 1, 2, 3, 4, 5, 6 } };
        var (first, second) = (model.Submit(request), model.Submit(request));

        var (chunk, rest) = (NextStep(model), NextStep(model));

        // Sixteen tokens, then eight and the last block of the other, which must compute a token.
        Assert.Empty(chunk);
        Assert.Equal([new EngineToken(first, 1, true, 0), new EngineToken(second, 1, true, 20)], rest);
        Assert.Equal(16 + 8 + 4, model.Counters.StepTokens);
    }

    [Fact]
    public void Prefix_OfTheWholePrompt_LeavesAtLeastOneTokenToCompute()
    {
        var model = new EngineModel(Small);
        var request = new EngineRequest { PromptTokens = 12, OutputTokens = 1, BlockHashes = new ulong[] { 1, 2, 3 } };
        RunAlone(model, request);

        var token = RunAlone(model, request);

        Assert.Equal(8, token.CachedTokens);
    }

    [Fact]
    public void Prefix_WhenRoomIsNeeded_LosesTheTailOfTheOldestFirst()
    {
        var model = new EngineModel(Small);
        RunAlone(model, new EngineRequest { PromptTokens = 16, OutputTokens = 1, BlockHashes = new ulong[] { 1, 2, 3, 4 } });
        RunAlone(model, new EngineRequest { PromptTokens = 24, OutputTokens = 1 });

        var token = RunAlone(model, new EngineRequest { PromptTokens = 20, OutputTokens = 1, BlockHashes = new ulong[] { 1, 2, 3, 4 } });

        Assert.Equal(8, token.CachedTokens);
    }

    [Fact]
    public void Submit_OfARequestLargerThanTheKvRoom_IsRefused()
    {
        var model = new EngineModel(Small);

        Assert.True(model.Fits(30, 3));
        Assert.False(model.Fits(30, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Submit(new EngineRequest { PromptTokens = 30, OutputTokens = 4 }));
    }

    [Theory]
    [InlineData(SchedulingPolicy.Fcfs)]
    [InlineData(SchedulingPolicy.Priority)]
    public void Model_UnderRandomArrivalsAndCancellations_EndsEveryRequestOnceAndReturnsEveryBlock(SchedulingPolicy policy)
    {
        const int Seed = 20_261;
        output.WriteLine($"seed {Seed}");
        var chance = new Random(Seed);
        var model = new EngineModel(Small with { KvBlocks = 40, MaxSequences = 8 }, policy);
        var alive = new Dictionary<int, EngineRequest>();
        var (submitted, finished, cancelled) = (0, 0, 0);

        while (submitted < 20_000 || alive.Count > 0)
        {
            for (var arrivals = submitted < 20_000 ? chance.Next(3) : 0; arrivals > 0; arrivals--, submitted++)
            {
                var prompt = chance.Next(1, 100);
                var family = (ulong)chance.Next(5) * 1_000;
                var request = new EngineRequest
                {
                    PromptTokens = prompt,
                    OutputTokens = chance.Next(0, 40),
                    Priority = chance.Next(3),
                    BlockHashes = Enumerable.Range(1, prompt / 4).Select(block => family + (ulong)block).ToArray(),
                };
                alive.Add(model.Submit(request), request);
            }

            if (alive.Count > 0 && chance.Next(10) == 0)
            {
                var victim = alive.Keys.ElementAt(chance.Next(alive.Count));
                model.Cancel(victim);
                alive.Remove(victim);
                cancelled++;
            }

            if (model.BeginStep() == TimeSpan.Zero)
            {
                continue;
            }

            if (alive.Count > 0 && chance.Next(10) == 0)
            {
                var victim = alive.Keys.First();
                model.Cancel(victim);
                alive.Remove(victim);
                cancelled++;
            }

            foreach (var token in model.EndStep().ToArray())
            {
                Assert.True(alive.ContainsKey(token.Handle), "a token came for a request that has left");
                if (token.IsFinished)
                {
                    Assert.Equal(alive[token.Handle].OutputTokens, token.Generated);
                    alive.Remove(token.Handle);
                    finished++;
                }
            }

            Assert.InRange(model.Counters.UsedBlocks, 0, 40);
            Assert.InRange(model.Counters.Running, 0, 8);
        }

        Assert.Equal(submitted, finished + cancelled);
        Assert.True(finished > 1_000 && model.Counters.Preemptions > 100 && model.Counters.PrefixHitTokens > 1_000, "the run was too tame to show anything");
        Assert.Equal(0, model.Counters.UsedBlocks);
        Assert.Equal(0, model.Counters.Running);
        Assert.Equal(0, model.Counters.Waiting);
    }

    private static List<int> FinishAll(EngineModel model, int requests)
    {
        var finished = new List<int>();
        while (finished.Count < requests)
        {
            finished.AddRange(NextStep(model).Where(token => token.IsFinished).Select(token => token.Handle));
        }

        return finished;
    }

    private static EngineToken[] NextStep(EngineModel model)
    {
        Assert.NotEqual(TimeSpan.Zero, model.BeginStep());
        return model.EndStep().ToArray();
    }

    private static EngineToken RunAlone(EngineModel model, EngineRequest request)
    {
        model.Submit(request);
        while (true)
        {
            if (NextStep(model) is [{ IsFinished: true } token])
            {
                return token;
            }
        }
    }
}
