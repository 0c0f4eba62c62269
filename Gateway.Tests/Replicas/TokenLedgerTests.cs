using Gateway.Replicas;
using Gateway.Tests.Fakes;
using Xunit.Abstractions;

namespace Gateway.Tests.Replicas;

/// <summary>A prompt block that several requests in flight hold counts once, as long as one of them runs.</summary>
public sealed class TokenLedgerTests(ITestOutputHelper output)
{
    private const int BlockTokens = 64;

    [Fact]
    public void TryReserve_WithASharedBeginning_CountsItOnce()
    {
        var replica = Up(null);

        using var first = replica.TryReserve(Load(200, 50, 1, 2, 3), 1);
        using var second = replica.TryReserve(Load(300, 50, 1, 2, 4), 1);

        // 250 + 350 less two blocks.
        Assert.Equal(600 - (2 * BlockTokens), replica.Snapshot().ReservedTokens);
        Assert.Equal(500 - (2 * BlockTokens), replica.Snapshot().HeldTokens);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Dispose_OfOneOfTwoHolders_LeavesTheBlocksToTheOther(bool firstLeaves)
    {
        var replica = Up(null);
        var first = replica.TryReserve(Load(200, 50, 1, 2, 3), 1)!;
        var second = replica.TryReserve(Load(300, 60, 1, 2, 4), 1)!;

        (firstLeaves ? first : second).Dispose();
        var left = replica.Snapshot().ReservedTokens;
        (firstLeaves ? second : first).Dispose();

        Assert.Equal(firstLeaves ? 360 : 250, left);
        Assert.Equal(0, replica.Snapshot().ReservedTokens);
    }

    [Theory]
    // Alone each is 320 + 1 and grows by 50: 642 + 2 x 50. Four blocks of 64 are there already.
    [InlineData(742 - 256, true)]
    [InlineData(741 - 256, false)]
    public void TryReserve_UnderPastFutureWithASharedBeginning_AsksForTheRestOnly(long kvTokens, bool isAdmitted)
    {
        var replica = Up(kvTokens);
        using var first = replica.TryReserve(Load(320, 50, 1, 2, 3, 4, 5), 1);

        using var second = replica.TryReserve(Load(320, 50, 1, 2, 3, 4, 6), 1);

        Assert.Equal(isAdmitted, second is not null);
    }

    [Fact]
    public void TryReserve_WithWhatOnlyAnEarlierRequestHeld_AsksForAllOfIt()
    {
        var replica = Up(600);
        replica.TryReserve(Load(320, 50, 1, 2, 3, 4, 5), 1)!.Dispose();
        using var other = replica.TryReserve(Load(320, 50, 11, 12, 13, 14, 15), 1);

        // Its blocks may be in the engine's cache, but they are nobody's: they make room for others.
        using var again = replica.TryReserve(Load(320, 50, 1, 2, 3, 4, 5), 1);

        Assert.Null(again);
    }

    [Theory]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(33)]
    public void Ledger_UnderRandomUse_HoldsWhatAPlainListOfBlocksHolds(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var replica = Up(null);
        var ledger = new TokenLedger();
        var running = new List<LoadReservation>();
        for (var i = 0; i < 4_000; i++)
        {
            if (running.Count < 24 && chance.Next(2) == 0)
            {
                var asked = RandomLoad(chance);
                AssertOverlap(ledger, running, asked);
                running.Add(new LoadReservation(replica, asked));
                ledger.Add(running[^1]);
            }
            else if (running.Count > 0 && chance.Next(3) == 0)
            {
                var index = chance.Next(running.Count);
                ledger.Remove(running[index]);
                running.RemoveAt(index);
            }
            else if (running.Count > 0)
            {
                var grows = running[chance.Next(running.Count)];
                ledger.Grow(grows, grows.GeneratedTokens + chance.Next(1, 40), chance.NextDouble() * 100);
            }

            var blocks = running.SelectMany(reservation => reservation.Load.Blocks).ToLookup(block => block);
            Assert.Equal(blocks.Count, ledger.Blocks);
            Assert.Equal(blocks.Count(block => block.Skip(1).Any()) * BlockTokens, ledger.SharedTokens);
            Assert.Equal(Union(running), ledger.HeldTokens);
            Assert.Equal(ledger.Courses.ToArray().OrderBy(course => course.Steps).Select(course => course.Steps), ledger.Courses.ToArray().Select(course => course.Steps));
        }
        running.ForEach(ledger.Remove);

        Assert.Equal((0, 0, 0L, 0L, 0.0, 0.0), (ledger.Requests, ledger.Blocks, ledger.ReservedTokens, ledger.SharedTokens, ledger.HeldTokens, ledger.AtEndTokens));
    }

    [Theory]
    [InlineData(41)]
    [InlineData(42)]
    public void TryReserve_UnderPastFuture_NeverAdmitsBeyondThePeakOfTheUnion(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var replica = Up(6_000);
        var running = new List<LoadReservation>();
        var admitted = 0;
        for (var i = 0; i < 3_000; i++)
        {
            if (replica.TryReserve(RandomLoad(chance), 1) is { } reservation)
            {
                running.Add(reservation);
                Assert.True(running.Count == 1 || PeakOfTheUnion(running) <= 6_000 + 1e-6, $"seed {seed}, step {i}");
                admitted++;
            }
            if (running.Count > 0 && chance.Next(3) > 0)
            {
                var index = chance.Next(running.Count);
                running[index].Dispose();
                running.RemoveAt(index);
            }
        }
        running.ForEach(reservation => reservation.Dispose());

        Assert.InRange(admitted, 1_000, 2_999);
        Assert.Equal(0, replica.Snapshot().ReservedTokens);
    }

    [Theory]
    [InlineData(51)]
    [InlineData(52)]
    [InlineData(53)]
    public void Admits_UnderRandomUse_SaysWhatAWalkOverEveryCourseSays(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var replica = Up(null);
        var ledger = new TokenLedger();
        var running = new Queue<LoadReservation>();
        var rule = new PastFutureAdmission();
        var admitted = 0;
        for (var i = 0; i < 4_000; i++)
        {
            var asked = RandomLoad(chance);
            var capacity = chance.Next(1_000, 6_000);
            var admits = rule.Admits(asked, RoomOf(ledger, capacity));
            Assert.True(PeakWith(ledger, asked) <= capacity == admits, $"step {i}");
            admitted += admits ? 1 : 0;
            if (chance.Next(2) == 0)
            {
                running.Enqueue(new LoadReservation(replica, asked));
                ledger.Add(running.Last());
            }
            else if (running.TryPeek(out var oldest))
            {
                ledger.Grow(oldest, oldest.GeneratedTokens + chance.Next(1, 40), chance.NextDouble() * 100);
            }
            if (running.Count > 20)
            {
                ledger.Remove(running.Dequeue());
            }
        }

        Assert.InRange(admitted, 1_000, 3_000);
    }

    [Fact]
    public void Add_OfAPromptThatNamesABlockTwice_LeavesNothingBehind()
    {
        var ledger = new TokenLedger();
        var replica = Up(null);
        var twice = new LoadReservation(replica, Load(300, 10, 1, 2, 1));
        var other = new LoadReservation(replica, Load(300, 10, 1, 2, 3));
        ledger.Add(twice);
        ledger.Add(other);
        ledger.Remove(twice);
        var left = ledger.HeldTokens;
        ledger.Remove(other);

        Assert.Equal(301, left);
        Assert.Equal((0, 0L, 0L, 0.0), (ledger.Blocks, ledger.SharedTokens, ledger.ReservedTokens, ledger.HeldTokens));
    }

    private static void AssertOverlap(TokenLedger ledger, List<LoadReservation> running, in LoadProfile asked)
    {
        var holders = asked.Blocks.Select(block => running.Count(reservation => reservation.Load.Blocks.Contains(block))).ToList();
        var overlap = ledger.Overlap(asked);
        Assert.Equal(holders.TakeWhile(count => count > 0).Count() * BlockTokens, overlap.Tokens);
        Assert.Equal(holders.Count(count => count == 1) * BlockTokens, overlap.MovedTokens);
        Assert.Equal(holders.Contains(1), overlap.Sole is not null);
        Assert.True(overlap.Tokens == 0 || ledger.MayOverlap(asked));
    }

    private static ReplicaRoom RoomOf(TokenLedger ledger, long capacity) => new()
    {
        RunningRequests = ledger.Requests,
        RunningSequences = ledger.Sequences,
        SlotLimit = null,
        CapacityTokens = capacity,
        CapacityShare = 1,
        ShareCorrection = 0,
        Foreign = default,
        InFlight = ledger,
    };

    private static double PeakWith(TokenLedger ledger, in LoadProfile asked)
    {
        var overlap = ledger.Overlap(asked);
        var own = new Course(asked.PromptTokens + 1 - overlap.Tokens, Course.RemainingOf(asked) / asked.Sequences, asked.Sequences);
        return PastFutureAdmission.Peak(ledger.Courses, [], own, ledger.SharedTokens + overlap.MovedTokens, overlap.Sole?.Index ?? -1, overlap.MovedTokens);
    }

    private static double Union(IReadOnlyCollection<LoadReservation> running) =>
        running.Sum(one => one.Load.PromptTokens + one.GeneratedTokens + 1 - (one.Load.Blocks.Length * BlockTokens))
        + (running.SelectMany(one => one.Load.Blocks).Distinct().Count() * BlockTokens);

    // What is really held when each answer ends: those that end later, with every block that one of them has.
    private static double PeakOfTheUnion(List<LoadReservation> running)
    {
        double peak = 0;
        foreach (var ends in running)
        {
            var steps = Course.Of(ends).Steps;
            var left = running.Where(one => Course.Of(one).Steps >= steps).ToList();
            peak = Math.Max(peak, Union(left) + (left.Sum(one => one.Load.Sequences) * steps));
        }
        return peak;
    }

    // A tree of prompts: each block is named by the path to it.
    private static LoadProfile RandomLoad(Random chance)
    {
        var blocks = new ulong[chance.Next(0, 9)];
        ulong path = 1;
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = path = (path * 31) + (ulong)chance.Next(1, i < 3 ? 3 : 5);
        }
        var prompt = (blocks.Length * BlockTokens) + chance.Next(1, 64);
        return new LoadProfile(prompt, prompt, chance.Next(0, 200), chance.Next(1, 3)) { Blocks = blocks, BlockTokens = BlockTokens };
    }

    private static LoadProfile Load(int promptTokens, double outputTokens, params ulong[] blocks) =>
        new(promptTokens, promptTokens, outputTokens, 1) { Blocks = blocks, BlockTokens = BlockTokens };

    private static Replica Up(long? kvTokens)
    {
        var address = new Uri("http://10.0.0.1:8000");
        var replica = new Replica(new ReplicaOptions { Url = address, KvTokens = kvTokens }, address, "r", 0, new FaultLimits(3, TimeSpan.FromSeconds(10)), new ManualTime());
        replica.OnProbed(ReplicaHealth.Up);
        return replica;
    }
}
