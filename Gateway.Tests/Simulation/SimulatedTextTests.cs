using System.Text;
using Gateway.Simulation;
using Xunit.Abstractions;

namespace Gateway.Tests.Simulation;

public class SimulatedTextTests(ITestOutputHelper output)
{
    [Fact]
    public void Answer_ContinuedFromAnyToken_EqualsTheUncutOne()
    {
        const int Seed = 7;
        output.WriteLine($"seed {Seed}");
        var chance = new Random(Seed);
        for (var round = 0; round < 300; round++)
        {
            var prompt = string.Concat(Enumerable.Range(0, chance.Next(1, 60)).Select(_ => " " + (char)('a' + chance.Next(26)) + "x")) + (round % 3 == 0 ? " lorem est" : "?");
            var whole = Text(prompt, default);
            var pieces = whole.Split(' ').Skip(1).Select(word => " " + word).ToArray();
            var cut = chance.Next(0, pieces.Length + 1);
            var soFar = string.Concat(pieces.Take(cut));

            Assert.Equal(whole, soFar + Text(prompt + soFar, default));
        }
    }

    [Theory]
    [InlineData("Please answer with 37 tokens.", 37)]
    [InlineData("say 5 words", 5)]
    [InlineData("say 5 words, no: answer with 1 token", 1)]
    public void Answer_WhenALengthIsAskedFor_HasIt(string prompt, int expected)
    {
        var answer = SimulatedText.Answer(1, Encoding.UTF8.GetBytes(prompt), 0, default);

        Assert.Equal(expected, answer.Pieces.Length);
        Assert.False(answer.IsCut);
    }

    [Fact]
    public void Answer_WhenALengthWasAskedForInAnEarlierTurn_HasItsOwn()
    {
        const string Prompt = "answer with 3 tokens \n hello there";

        var answer = SimulatedText.Answer(1, Encoding.UTF8.GetBytes(Prompt), Prompt.IndexOf("hello", StringComparison.Ordinal), default);

        Assert.NotEqual(3, answer.Pieces.Length);
    }

    [Fact]
    public void Answer_UnderALimit_IsTheBeginningOfTheUnlimitedOneAndSaysItWasCut()
    {
        var prompt = Encoding.UTF8.GetBytes("answer with 50 tokens");

        var whole = SimulatedText.Answer(1, prompt, 0, default).Pieces;
        var cut = SimulatedText.Answer(1, prompt, 0, new AnswerLimits { MaxTokens = 20 });
        var enough = SimulatedText.Answer(1, prompt, 0, new AnswerLimits { MaxTokens = 50 });

        Assert.Equal(whole[..20], cut.Pieces);
        Assert.True(cut.IsCut);
        Assert.False(enough.IsCut);
    }

    [Fact]
    public void Answer_IgnoringTheEnd_RunsToItsLimit()
    {
        var answer = SimulatedText.Answer(1, "say 3 words"u8, 0, new AnswerLimits { MaxTokens = 64, IgnoresEnd = true });

        Assert.Equal(64, answer.Pieces.Length);
        Assert.True(answer.IsCut);
    }

    [Fact]
    public void Answer_OfAnotherSeedPromptOrChoice_IsAnother()
    {
        var one = Text("What is the time?", default);

        Assert.Equal(one, Text("What is the time?", default));
        Assert.NotEqual(one, Text("What is the time!", default));
        Assert.NotEqual(one, Text("What is the time?", new AnswerLimits { Choice = 1 }));
        Assert.NotEqual(one, Text("What is the time?", default, seed: 2));
    }

    [Fact]
    public void Length_OverManyPrompts_HasItsMedianAndAHeavyTail()
    {
        var lengths = Enumerable.Range(0, 5_000).Select(number => SimulatedText.Answer(1, Encoding.UTF8.GetBytes($"prompt {number}"), 0, default).Pieces.Length).Order().ToArray();

        output.WriteLine($"p10 {lengths[500]}, median {lengths[2_500]}, p90 {lengths[4_500]}, p99 {lengths[4_950]}, max {lengths[^1]}");
        Assert.InRange(lengths[2_500], SimulatedText.MedianTokens * 0.9, SimulatedText.MedianTokens * 1.1);
        Assert.InRange(lengths[4_500], SimulatedText.MedianTokens * 2, SimulatedText.MedianTokens * 4);
    }

    [Fact]
    public void Tokens_OfAPromptWithItsAnswer_AreThoseOfThePromptPlusOnePerPiece()
    {
        var prompt = Encoding.UTF8.GetBytes("\n<|user|>tell me everything\n<|assistant|>");
        var pieces = SimulatedText.Answer(3, prompt, 0, default).Pieces;

        byte[] together = [.. prompt, .. pieces.SelectMany(piece => piece)];

        Assert.Equal(SimulatedTokenizer.Count(prompt) + pieces.Length, SimulatedTokenizer.Count(together));
    }

    [Fact]
    public void BlockHashes_OfTextsWithACommonBeginning_AgreeAsFarAsTheFullBlocksDo()
    {
        var one = SimulatedTokenizer.BlockHashes(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(" word", 40)) + " x"), 16, 0);
        var other = SimulatedTokenizer.BlockHashes(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(" word", 40)) + string.Concat(Enumerable.Repeat(" more", 40))), 16, 0);
        var salted = SimulatedTokenizer.BlockHashes(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(" word", 40))), 16, 1);

        Assert.Equal(2, one.Count);
        Assert.Equal(5, other.Count);
        Assert.Equal(one, other.Take(2));
        Assert.Empty(salted.Intersect(one));
        Assert.Equal(5, other.Distinct().Count());
    }

    private static string Text(string prompt, AnswerLimits limits, ulong seed = 1) =>
        string.Concat(SimulatedText.Answer(seed, Encoding.UTF8.GetBytes(prompt), 0, limits).Pieces.Select(Encoding.UTF8.GetString));
}
