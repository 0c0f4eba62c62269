using Gateway.Learning;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Learning;

public sealed class LessonSamplerTests
{
    private readonly ManualTime _time = new();
    private readonly LessonSampler _sampler;

    public LessonSamplerTests() => _sampler = new LessonSampler(_time);

    [Fact]
    public void Takes_AtAnOrdinaryRate_TakesEveryAnswer() => Assert.Equal(4_000, Run(seconds: 10, perSecond: 400).Count);

    [Theory]
    [InlineData(1_000)]
    [InlineData(20_000)]
    [InlineData(100_000)]
    public void Takes_FasterThanLessonsAreWorth_TakesAsManyASecond(int perSecond)
    {
        Run(seconds: 2, perSecond);

        var taken = Run(seconds: 8, perSecond).Count / 8.0;

        Assert.InRange(taken, 0.9 * LessonSampler.PerSecond, 1.1 * LessonSampler.PerSecond);
    }

    [Fact]
    public void Takes_FasterThanLessonsAreWorth_TakesOfEveryKindAndPlaceAlike()
    {
        const int perSecond = 10_000;
        Run(seconds: 2, perSecond);

        var taken = Run(seconds: 20, perSecond);

        // Kinds that take turns, and the two halves of each second: half of what is taken each, within four deviations.
        var most = 4 * Math.Sqrt(taken.Count) / 2;
        foreach (var period in (int[])[2, 8, 55, perSecond])
        {
            Assert.InRange(taken.Count(answer => answer % period < period / 2.0), (taken.Count * ShareOf(period)) - most, (taken.Count * ShareOf(period)) + most);
        }

        static double ShareOf(int period) => Math.Ceiling(period / 2.0) / period;
    }

    [Fact]
    public void Takes_AfterARush_TakesEveryAnswerAgain()
    {
        Run(seconds: 5, perSecond: 5_000);
        Run(seconds: 2, perSecond: 100);

        Assert.Equal(300, Run(seconds: 3, perSecond: 100).Count);
    }

    // Which answers are taken, by their number.
    private List<int> Run(int seconds, int perSecond)
    {
        var taken = new List<int>();
        for (var answer = 0; answer < seconds * perSecond; answer++)
        {
            if (_sampler.Takes())
            {
                taken.Add(answer);
            }
            _time.Advance(TimeSpan.FromSeconds(1.0 / perSecond));
        }
        return taken;
    }
}
