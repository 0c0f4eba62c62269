using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Requests;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Queueing;

/// <summary>What the targets of classes change: the deadlines of <c>edf</c>, and how many share an engine's steps. One engine whose steps take 10 ms and 1 ms more per sequence.</summary>
public sealed class ClassTargetTests(ITestOutputHelper output)
{
    // With a tenth for safety 22 ms are 20 ms: ten sequences.
    private static readonly ClassesOptions Classes = new()
    {
        Interactive = new ClassOptions { TtftTarget = TimeSpan.FromSeconds(2), InterTokenTarget = TimeSpan.FromMilliseconds(22) },
        Batch = new ClassOptions { InterTokenTarget = TimeSpan.FromMilliseconds(33) },
    };

    [Theory]
    [InlineData(PriorityClass.Interactive, 2)]
    [InlineData(PriorityClass.Default, 5)]
    [InlineData(PriorityClass.Batch, 30)]
    public void Rank_ByDeadline_TakesTheTargetOfTheClassElseWhatItUsuallyGets(PriorityClass priority, double due)
    {
        var order = new DeadlineOrder(Classes);

        Assert.Equal(due, order.Rank(CorePool.Request(priority: priority), CorePool.Cost(), TimeSpan.Zero));
        Assert.Equal(1, order.Rank(CorePool.Request(priority: priority) with { TimeToFirstTokenSlo = TimeSpan.FromSeconds(1) }, CorePool.Cost(), TimeSpan.Zero));
    }

    [Fact]
    public void Enter_WhereTheNextOneWouldMakeTheStepsTooLong_WaitsAndGoesWhenOneLeaves()
    {
        using var world = World();

        var entries = Enumerable.Range(0, 12).Select(_ => Enter(world, PriorityClass.Interactive)).ToList();

        Assert.Equal(10, entries.Count(IsIn));
        entries[0].Done();
        Assert.True(IsIn(entries[10]));
        Assert.False(IsIn(entries[11]));
    }

    [Fact]
    public void Enter_OfSeveralClasses_GoesByTheShortestTargetOfThoseThatShareTheSteps()
    {
        using var world = World();
        var batch = Enumerable.Range(0, 12).Select(_ => Enter(world, PriorityClass.Batch)).ToList();
        Assert.All(batch, entry => Assert.True(IsIn(entry)));

        var urgent = Enter(world, PriorityClass.Interactive);
        Assert.False(IsIn(urgent));
        batch.GetRange(0, 3).ForEach(entry => entry.Done());
        Assert.True(IsIn(urgent));

        // It minds how many join it, whether they do or not.
        var plain = Enter(world, PriorityClass.Default);
        Assert.False(IsIn(plain));
        urgent.Done();
        Assert.True(IsIn(plain));
    }

    [Fact]
    public void Enter_BeforeTheStepsAreLearned_HoldsNothing()
    {
        using var world = World(answers: 1);

        Assert.All(Enumerable.Range(0, 40).Select(_ => Enter(world, PriorityClass.Interactive)).ToList(), entry => Assert.True(IsIn(entry)));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Enter_OfAllClassesAtRandom_KeepsTheTightestTargetAndServesEverybody(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        using var world = World();
        var open = new List<(CorePool.Entry Entry, PriorityClass Priority)>();
        for (var i = 0; i < 3_000; i++)
        {
            world.Time.Advance(TimeSpan.FromMilliseconds(chance.Next(50)));
            if (open.Count < 40 && chance.Next(2) == 0)
            {
                var priority = (PriorityClass)chance.Next(3);
                open.Add((Enter(world, priority), priority));
            }
            else if (open.FindAll(item => IsIn(item.Entry)) is { Count: > 0 } running)
            {
                var ended = running[chance.Next(running.Count)];
                open.Remove(ended);
                ended.Entry.Done();
            }
            var inside = open.FindAll(item => IsIn(item.Entry));
            var most = inside.Exists(item => item.Priority == PriorityClass.Interactive) ? 10 : inside.Exists(item => item.Priority == PriorityClass.Batch) ? 20 : 40;
            Assert.True(inside.Count <= most, $"round {i}: {inside.Count} of at most {most}");
        }
        while (open.FindIndex(item => IsIn(item.Entry)) is >= 0 and var next)
        {
            var entry = open[next].Entry;
            open.RemoveAt(next);
            entry.Done();
        }
        Assert.Empty(open);
    }

    private static CorePool World(int answers = 400)
    {
        var world = new CorePool(slots: null, queue: new QueueOptions { Classes = Classes, MaxWait = TimeSpan.FromHours(12) });
        var replica = world.Pool.Replicas[0];
        for (var i = 0; i < answers;)
        {
            var batch = 1 + (i * 17 % 30);
            var reservations = Enumerable.Range(0, batch).Select(_ => replica.TryReserve(new LoadProfile(1, 1, 50, 1), new NoAdmission(), 1)!).ToArray();
            Array.ForEach(reservations, reservation => reservation.OnFirstToken());
            world.Time.Advance(TimeSpan.FromSeconds(50 * (0.0099 + (0.00099 * batch))));
            Array.ForEach(reservations, reservation => reservation.OnAnswered(new ServedAnswer(51, 1, 0, world.Time.GetTimestamp())));
            Array.ForEach(reservations, reservation => reservation.Dispose());
            i += batch;
        }
        return world;
    }

    private static bool IsIn(CorePool.Entry entry) => entry.Outcome == AdmissionOutcome.Admitted;

    private static CorePool.Entry Enter(CorePool world, PriorityClass priority) => world.Enter(CorePool.Request(priority: priority), CorePool.Cost());
}
