using Gateway.Replicas;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas;

public sealed class AdmissionRulesTests
{
    [Fact]
    public void Peak_OfThePapersExample_IsAtTheEndOfTheThird()
    {
        // Longest first: 50 + 100 | 150 + 2 x 50 | 350 + 3 x 10; whichever of them asks.
        Course[] courses = [new(200, 10, 1), new(100, 50, 1), new(50, 100, 1)];

        Assert.All(courses, asks => Assert.Equal(380, PastFutureAdmission.Peak([.. courses.Where(course => course != asks)], [], asks, shared: 0, sole: -1, moved: 0)));
    }

    [Fact]
    public void Peak_OfAnAnswerInSeveralSequences_GrowsByOneTokenForEach()
    {
        // The longer one ends at 50 + 100 alone; the other at 150 + (1 + 4) x 20.
        Assert.Equal(250, PastFutureAdmission.Peak([new Course(100, 20, 4)], [], new Course(50, 100, 1), shared: 0, sole: -1, moved: 0));
    }

    [Fact]
    public void Peak_WithSharedTokens_CountsThemToTheEndOfTheLast()
    {
        // 40 are shared already, 30 of the first become so: 70 + 50 + 100 | 70 + 150 - 30 + 2 x 50 = 290.
        Assert.Equal(290, PastFutureAdmission.Peak([new Course(100, 50, 1)], [], new Course(50, 100, 1), shared: 70, sole: 0, moved: 30));
    }

    [Fact]
    public void Peak_OfOwnAndOthersCourses_IsThatOfAllTogether()
    {
        var chance = new Random(11);
        for (var round = 0; round < 500; round++)
        {
            var all = Enumerable.Range(0, chance.Next(2, 40)).Select(_ => new Course(chance.Next(1, 500), chance.Next(1, 300), chance.Next(1, 4))).OrderBy(course => course.Steps).ToArray();
            var isOwn = all.Select(_ => chance.Next(2) == 0).ToArray();
            var asks = new Course(chance.Next(1, 500), chance.Next(1, 300), 1);

            var together = PastFutureAdmission.Peak(all, [], asks, shared: 0, sole: -1, moved: 0);
            var apart = PastFutureAdmission.Peak([.. all.Where((_, i) => isOwn[i])], [.. all.Where((_, i) => !isOwn[i])], asks, shared: 0, sole: -1, moved: 0);

            Assert.Equal(together, apart, 6);
        }
    }

    [Fact]
    public void Outline_OfManyCourses_KeepsWhatTheyHoldNowAndAtTheirEnds()
    {
        var chance = new Random(12);
        for (var count = 0; count < 100; count++)
        {
            var courses = Enumerable.Range(0, count).Select(_ => new Course(chance.Next(1, 500), chance.Next(1, 300), chance.Next(1, 4))).OrderBy(course => course.Steps).ToArray();

            var outline = Course.Outline(courses, shared: count > 0 ? 70 : 0, most: 16);

            Assert.InRange(outline.Length, Math.Min(count, 8), Math.Min(count, 16));
            Assert.Equal(courses.Sum(course => course.HeldTokens) + (count > 0 ? 70 : 0), outline.Sum(course => course.HeldTokens), 6);
            Assert.Equal(courses.Sum(course => course.Steps * course.Sequences), outline.Sum(course => course.Steps * course.Sequences), 6);
            Assert.Equal(outline.OrderBy(course => course.Steps), outline);
            // At the few that all look alike the highest sum is nearly that of all.
            var asks = new Course(100, 150, 1);
            var (exact, rough) = (PastFutureAdmission.Peak(courses, [], asks, 0, -1, 0), PastFutureAdmission.Peak(outline, [], asks, count > 0 ? -70 : 0, -1, 0));
            Assert.InRange(rough, 0.9 * exact, 1.1 * exact);
        }
    }

    [Theory]
    [InlineData(250, true)]
    [InlineData(249, false)]
    public void TryReserve_UnderPastFutureWithOneInFlight_AdmitsUpToThePeak(long kvTokens, bool isAdmitted)
    {
        // (50, 100) beside (100, 50): 50 + 100 | 150 + 2 x 50.
        var replica = Up(kvTokens);
        using var first = replica.TryReserve(Load(99, 50), new PastFutureAdmission(), 1);

        using var second = replica.TryReserve(Load(49, 100), new PastFutureAdmission(), 1);

        Assert.NotNull(first);
        Assert.Equal(isAdmitted, second is not null);
    }

    [Theory]
    // 40 came of 50: a = 140, b = max(10, 4, 16) = 16; beside (50, 100): 150 | 190 + 2 x 16 = 222.
    [InlineData(40, 222)]
    // 400 came of 50: a = 500, b = max(-350, 40, 16) = 40: 150 | 550 + 2 x 40 = 630.
    [InlineData(400, 630)]
    public void TryReserve_UnderPastFutureAsAnAnswerGrows_CountsDownFromWhatWasExpected(int generated, long peak)
    {
        foreach (var (kvTokens, isAdmitted) in new[] { (peak, true), (peak - 1, false) })
        {
            var replica = Up(kvTokens);
            using var first = replica.TryReserve(Load(99, 50), new PastFutureAdmission(), 1)!;
            // What the distribution expects it to go on for does not matter.
            first.OnProgress(generated, remainingTokens: 77);

            using var second = replica.TryReserve(Load(49, 100), new PastFutureAdmission(), 1);

            Assert.Equal(isAdmitted, second is not null);
        }
    }

    [Fact]
    public void TryReserve_UnderPastFutureAtAnEmptyReplica_AlwaysAdmits()
    {
        using var reservation = Up(10).TryReserve(Load(1_000, 1_000), new PastFutureAdmission(), 1);

        Assert.NotNull(reservation);
    }

    [Fact]
    public void TryReserve_UnderPastFutureWithoutAKnownCapacity_HoldsNothing()
    {
        var replica = Up(null);
        var admitted = Enumerable.Range(0, 100).Select(_ => replica.TryReserve(Load(100_000, 1_000), new PastFutureAdmission(), 1)).ToList();

        Assert.All(admitted, Assert.NotNull);
    }

    [Fact]
    public void TryReserve_UnderAFullWindow_AdmitsNobodyMore()
    {
        var replica = Up(10);
        var rule = new WindowAdmission(2);

        Assert.NotNull(replica.TryReserve(Load(100, 100), rule, 1));
        var second = replica.TryReserve(Load(100, 100), rule, 1);
        Assert.NotNull(second);
        Assert.Null(replica.TryReserve(Load(100, 100), rule, 1));
        second.Dispose();

        Assert.NotNull(replica.TryReserve(Load(100, 100), rule, 1));
    }

    [Fact]
    public void Create_OfEveryName_GivesAnotherRule() =>
        Assert.Equal(AdmissionRules.Names.Count, AdmissionRules.Names.Select(name => AdmissionRules.Create(name, 1, true).GetType()).Distinct().Count());

    private static LoadProfile Load(int promptTokens, double outputTokens) => new(promptTokens, promptTokens, outputTokens, 1);

    private static Replica Up(long? kvTokens)
    {
        var address = new Uri("http://10.0.0.1:8000");
        var replica = new Replica(new ReplicaOptions { Url = address, KvTokens = kvTokens }, address, "r", 0, new FaultLimits(3, TimeSpan.FromSeconds(10)), new ManualTime());
        replica.OnProbed(ReplicaHealth.Up);
        return replica;
    }
}
