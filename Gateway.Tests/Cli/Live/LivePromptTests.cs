using System.Text;
using Gateway.Cli.Live;
using Gateway.Replay.Traces;
using Gateway.Simulation;

namespace Gateway.Tests.Cli.Live;

public sealed class LivePromptTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(17)]
    [InlineData(5_003)]
    public void Write_OfLengths_HasAsManyTokens(int tokens)
    {
        var text = LivePrompt.Write(Row(tokens), 1, seed: 1);

        Assert.Equal(tokens, SimulatedTokenizer.Count(text));
        Assert.Equal(tokens * LivePrompt.TokenBytes, text.Length);
        Assert.All(Encoding.UTF8.GetString(text)[1..].Split(' '), word => Assert.Equal(3, word.Length));
    }

    [Fact]
    public void Write_OfEqualLeadingBlocks_IsEqualAsFarAndDiffersFromThere()
    {
        var first = LivePrompt.Write(Row(100, 11, 22, 33), 1, seed: 1);
        var second = LivePrompt.Write(Row(100, 11, 22, 44), 2, seed: 1);

        Assert.Equal(2 * 32 * LivePrompt.TokenBytes, first.AsSpan().CommonPrefixLength(second) / 32 * 32);
    }

    [Fact]
    public void Write_OfABlockThatIsPartlyFilled_EndsInIt()
    {
        var whole = LivePrompt.Write(Row(64, 11, 22), 1, seed: 1);
        var part = LivePrompt.Write(Row(40, 11, 22), 2, seed: 1);

        Assert.Equal(whole[..part.Length], part);
    }

    [Fact]
    public void Write_WithoutBlocks_SharesNothingWithOtherRowsNorOtherSeeds()
    {
        var text = LivePrompt.Write(Row(200), 1, seed: 1);

        Assert.InRange(text.AsSpan().CommonPrefixLength(LivePrompt.Write(Row(200), 2, seed: 1)), 0, 40);
        Assert.InRange(text.AsSpan().CommonPrefixLength(LivePrompt.Write(Row(200), 1, seed: 2)), 0, 40);
        Assert.Equal(text, LivePrompt.Write(Row(200), 1, seed: 1));
    }

    [Fact]
    public void Write_OfARowWithText_IsThatText() =>
        Assert.Equal("Grüße, world"u8.ToArray(), LivePrompt.Write(Row(3) with { Prompt = "Grüße, world" }, 1, seed: 1));

    private static TraceRequest Row(int tokens, params ulong[] blocks) => new()
    {
        Arrival = TimeSpan.Zero,
        InputTokens = tokens,
        OutputTokens = 1,
        Blocks = blocks,
        BlockTokens = blocks.Length > 0 ? 32 : 0,
    };
}
