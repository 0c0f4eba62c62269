using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

public sealed class WaitingHeapTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Head_AfterAnyAddsNewKeysAndRemovals_IsTheLeastOfThoseLeft(int seed)
    {
        using var world = new CorePool();
        var chance = new Random(seed);
        var heap = new WaitingHeap();
        var model = new List<Waiter>();

        for (var i = 0; i < 5_000; i++)
        {
            if (chance.Next(5) < 3)
            {
                var request = CorePool.Request(level: chance.Next(-2, 3));
                var waiter = new Waiter(world.Dispatcher, request, CorePool.Cost(), Constraints.None, _ => { }) { Rank = chance.Next(20), Sequence = i };
                heap.Add(waiter);
                model.Add(waiter);
            }
            else if (model.Count > 0 && chance.Next(3) == 0)
            {
                heap.Rekey(model[chance.Next(model.Count)], chance.Next(20));
            }
            else if (model.Count > 0)
            {
                var leaving = chance.Next(2) == 0 ? heap.Head : model[chance.Next(model.Count)];
                heap.Remove(leaving);
                model.Remove(leaving);
                Assert.Equal(-1, leaving.HeapIndex);
            }

            Assert.Equal(model.Count, heap.Count);
            if (model.Count > 0)
            {
                Assert.Same(model.OrderByDescending(waiter => waiter.Request.PriorityLevel).ThenBy(waiter => waiter.Rank).ThenBy(waiter => waiter.Sequence).First(), heap.Head);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Oldest_AfterAnyComingsAndComingsBack_IsWhoCameFirstOfThoseLeft(int seed)
    {
        using var world = new CorePool();
        var chance = new Random(seed);
        var heap = new WaitingHeap();
        var (inside, outside, sequence) = (new List<Waiter>(), new List<Waiter>(), 0);

        for (var i = 0; i < 5_000; i++)
        {
            var step = chance.Next(6);
            if (step < 2)
            {
                Move(new Waiter(world.Dispatcher, CorePool.Request(), CorePool.Cost(), Constraints.None, _ => { }) { Rank = chance.Next(20), Sequence = ++sequence });
            }
            else if (step < 4 && outside.Count > 0)
            {
                var back = outside[chance.Next(outside.Count)];
                outside.Remove(back);
                Move(back);
            }
            else if (inside.Count > 0)
            {
                var leaving = inside[chance.Next(inside.Count)];
                inside.Remove(leaving);
                outside.Add(leaving);
                heap.Remove(leaving);
            }

            Assert.True(inside.MinBy(waiter => waiter.Sequence) == heap.Oldest, $"seed {seed}, step {i}");
        }

        void Move(Waiter waiter)
        {
            inside.Add(waiter);
            heap.Add(waiter);
        }
    }
}

public sealed class SelectingTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void FirstCome_OfAnyQueue_IsThoseThatCameFirstInTheirOrder(int seed)
    {
        using var world = new CorePool();
        var chance = new Random(seed);
        var buffer = new Waiter[1];
        for (var round = 0; round < 300; round++)
        {
            var (count, most) = (chance.Next(1, 400), chance.Next(1, 70));
            var waiting = Enumerable.Range(1, count).Select(i => new Waiter(world.Dispatcher, CorePool.Request(), CorePool.Cost(), Constraints.None, _ => { }) { Rank = i % 3, Sequence = i }).ToArray();
            chance.Shuffle(waiting);

            var first = Selecting.FirstCome(waiting, static waiter => waiter.Rank > 0, most, ref buffer).ToArray();

            Assert.True(waiting.Where(waiter => waiter.Rank > 0).OrderBy(waiter => waiter.Sequence).Take(most).SequenceEqual(first), $"seed {seed}, round {round}");
        }
    }
}

public sealed class LatenessTests
{
    [Fact]
    public void Expiry_OfOneWhoseTimePassedWhileItEntered_IsDueAtOnce()
    {
        using var world = new CorePool();
        var waiter = world.Enter(CorePool.Request()).Waiter!;
        waiter.ArrivedAt = TimeSpan.Zero;
        waiter.LatestStart = TimeSpan.FromSeconds(1);

        var expiry = Lateness.Expiry(waiter, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(1.005));

        Assert.Equal((TimeSpan.Zero, AdmissionOutcome.DeadlineExceeded), expiry);
    }
}

public sealed class DrainRateTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void RetryAfter_BeforeAnythingMoved_IsASecond()
    {
        var rate = new DrainRate(_time);

        Assert.All(Enumerable.Range(1, 1_000), waiting => Assert.Equal(TimeSpan.FromSeconds(1), rate.RetryAfter(waiting)));
    }

    [Fact]
    public void RetryAfter_WithATurnEveryTwoSeconds_IsTwoSecondsForEachThatWaits()
    {
        var rate = new DrainRate(_time);
        Turns(rate, 5, TimeSpan.FromSeconds(2));

        Assert.Equal(TimeSpan.FromSeconds(20), rate.RetryAfter(10));
        Assert.Equal(TimeSpan.FromSeconds(120), rate.RetryAfter(1_000));
    }

    [Fact]
    public void RetryAfter_AfterAnIdleNight_DoesNotCountTheNight()
    {
        var rate = new DrainRate(_time);
        Turns(rate, 5, TimeSpan.FromSeconds(2));

        rate.OnEmpty();
        _time.Advance(TimeSpan.FromHours(8));
        Turns(rate, 2, TimeSpan.FromSeconds(2));

        Assert.Equal(TimeSpan.FromSeconds(20), rate.RetryAfter(10));
    }

    private void Turns(DrainRate rate, int count, TimeSpan gap)
    {
        for (var i = 0; i < count; i++)
        {
            rate.OnTurn();
            _time.Advance(gap);
        }
    }
}
