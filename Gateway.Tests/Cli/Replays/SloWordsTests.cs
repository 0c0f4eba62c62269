using Gateway.Cli.Replays;
using Gateway.Replay.Traces;
using Gateway.Requests;

namespace Gateway.Tests.Cli.Replays;

public sealed class SloWordsTests
{
    [Fact]
    public void Parse_OfLimitsOfAllAndOfClasses_PutsThoseOfTheClassFirst()
    {
        var limits = SloWords.Parse("ttft=5s,tpot=100ms,interactive.ttft=1s,batch.tpot=2s,batch.ttft=30s");

        Assert.Equal((TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(100)), (limits.Targets.Interactive.TtftTarget, limits.Targets.Interactive.InterTokenTarget));
        Assert.Equal((TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(100)), (limits.Targets.Default.TtftTarget, limits.Targets.Default.InterTokenTarget));
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(2)), (limits.Targets.Of(PriorityClass.Batch).TtftTarget, limits.Targets.Batch.InterTokenTarget));
        Assert.Equal("TTFT ≤ 5 s, TPOT ≤ 100 ms, interactive: TTFT ≤ 1 s, batch: TTFT ≤ 30 s, TPOT ≤ 2 s", limits.ToString());
    }

    [Theory]
    [InlineData("urgent.ttft=1s")]
    [InlineData("interactive.itl=1s")]
    [InlineData("batch.ttft")]
    [InlineData("batch.ttft=soon")]
    [InlineData("0.ttft=1s")]
    [InlineData("7.ttft=1s")]
    [InlineData("ttft=2s")]
    public void Parse_OfAWrongWord_NamesIt(string words)
    {
        var wrong = Assert.Throws<TraceException>(() => SloWords.Parse("ttft=1s," + words));

        Assert.Contains($"\"{words}\"", wrong.Message, StringComparison.Ordinal);
    }
}
