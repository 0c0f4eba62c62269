using System.Text;
using Gateway.Requests;
using Gateway.Requests.Sketching;

namespace Gateway.Tests.Requests;

public sealed class TextSketchTests(Xunit.Abstractions.ITestOutputHelper output)
{
    private static readonly PrefixHasher Hasher = new(1);

    [Fact]
    public void Sketch_OfTheSameTextWithOtherEscapes_IsTheSame()
    {
        var plain = Read("""{"model":"m","messages":[{"role":"user","content":"Schreibe drei Sätze: a/b 😀 \"c\""}]}""");
        var escaped = Read("""{"model":"m","messages":[{"role":"user","content":"\u0053chreibe drei S\u00e4tze: a\/b \ud83d\ude00 \u0022c\""}]}""");

        Assert.Equal(plain.Sketch!.Terms.ToArray(), escaped.Sketch!.Terms.ToArray());
    }

    [Fact]
    public void Sketch_OfAConversation_IsOfItsLastMessage()
    {
        var last = Read("""{"model":"m","messages":[{"role":"user","content":"hello there"}]}""").Sketch!;
        var turns = Read("""{"model":"m","system":"x","messages":[{"role":"system","content":"be kind"},{"role":"assistant","content":"yes"},{"content":[{"type":"text","text":"hello there"}],"role":"user"}]}""");

        Assert.Equal(last.Terms.ToArray(), turns.Sketch!.Terms.ToArray());
        Assert.Equal(MessageRole.User, turns.LastRole);
    }

    [Theory]
    [InlineData("/v1/messages", """{"model":"m","messages":[{"role":"user","content":"hello there"}],"system":"be kind","stop_sequences":["a","b"]}""", 2)]
    [InlineData("/v1/completions", """{"model":"m","prompt":"hello there","stop":"a"}""", 1)]
    [InlineData("/v1/responses", """{"model":"m","instructions":"be kind","input":"hello there"}""", 0)]
    public void Sketch_OfEveryApi_IsOfTheWordsThatAsk(string path, string body, int stops)
    {
        var wanted = Read("""{"model":"m","messages":[{"role":"user","content":"hello there"}]}""").Sketch!;

        var facts = Read(body, ApiRoute.All.Single(route => route.Path == path));

        Assert.Equal(wanted.Terms.ToArray(), facts.Sketch!.Terms.ToArray());
        Assert.Equal(stops, facts.StopSequences);
    }

    [Theory]
    [InlineData("""{"model":"m","input":"hello there"}""", "/v1/embeddings")]
    [InlineData("""{"model":"m","messages":[]}""", "/v1/chat/completions")]
    [InlineData("""{"model":"m","prompt":[1,2,3]}""", "/v1/completions")]
    public void Sketch_WithoutWordsOrAnAnswer_IsNone(string body, string path) =>
        Assert.Null(Read(body, ApiRoute.All.Single(route => route.Path == path)).Sketch);

    [Theory]
    [InlineData("Name five short examples of birds.", RequestedUnit.Items, 5)]
    [InlineData("Write an essay of 300 words about 2 cats.", RequestedUnit.Words, 300)]
    [InlineData("Summarise in two sentences or 3 paragraphs", RequestedUnit.Paragraphs, 3)]
    [InlineData("What happened in 1999?", RequestedUnit.None, 0)]
    public void Shape_OfAskedNumbers_IsTheLargestWithItsUnit(string text, RequestedUnit unit, int number)
    {
        var shape = TextSketch.Of(text).Shape;

        Assert.Equal((unit, number), (shape.Unit, shape.RequestedUnits));
    }

    [Fact]
    public void Shape_OfAText_CountsWhatItHolds()
    {
        var shape = TextSketch.Of("Why 42?\n```\nint X;\n```\n漢字 ok").Shape;

        Assert.Equal((1, 2, 2, 2, 4), (shape.QuestionMarks, shape.Digits, shape.Fences, shape.WideRunes, shape.Lines));
        Assert.Equal(2, shape.Capitals);
        Assert.Equal((byte)'k', shape.LastByte);
    }

    [Fact]
    public void Sketch_OfALongText_ReadsItsHeadAndItsTailOnly()
    {
        var long1 = $"Summarise this text now please. {new string('x', 50_000)} Answer in one word.";
        var long2 = $"Summarise this text now please. {new string('x', 900_000)} Answer in one word.";

        var (one, other) = (TextSketch.Of(long1), TextSketch.Of(long2));

        Assert.Equal(one.Terms.ToArray(), other.Terms.ToArray());
        Assert.Equal(900_000, other.Shape.Bytes, 100.0);
        Assert.InRange(other.Shape.ReadBytes, 1, SketchWriter.TextBytes);
    }

    [Fact]
    public void Sketch_OfGarbage_IsBoundedAndNeverThrows()
    {
        string[] texts =
        [
            string.Concat(Enumerable.Repeat("😀🎉👩‍👩‍👧", 60_000)), Convert.ToBase64String(new byte[500_000]), new string('a', 1_000_000),
            "\\ud800\\udc", "\\ud83d\\ud83d\\ude00", "\\u00", string.Concat(Enumerable.Repeat("\\udead ", 9_999)), "\\u0000\\u0001", "漢" + new string('字', 100_000),
        ];
        foreach (var text in texts)
        {
            var body = $$"""{"model":"m","messages":[{"role":"user","content":"{{text}}"}]}""";
            if (BodyReader.Read(Encoding.UTF8.GetBytes(body), ApiRoute.ChatCompletions, Hasher, out var facts, out _) is null)
            {
                Assert.InRange(facts.Sketch!.Terms.Length, 0, TextSketch.MaxTerms);
                Assert.InRange(facts.Sketch.Shape.ReadBytes, 0, SketchWriter.TextBytes);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Sketch_OfRandomBytes_HoldsEachTermOnce(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        for (var i = 0; i < 300; i++)
        {
            var bytes = new byte[chance.Next(0, 5_000)];
            chance.NextBytes(bytes);
            var sketch = new SketchWriter(new byte[SketchWriter.TextBytes]).Finish(bytes);
            var hashes = sketch.Terms.ToArray().Select(TextSketch.HashOf).ToArray();

            Assert.Equal(hashes.Distinct().Count(), hashes.Length);
            Assert.All(sketch.Terms.ToArray(), term => Assert.InRange(TextSketch.CountOf(term), 1, 15));
        }
    }

    [Fact]
    public void Return_ThenAnother_LeavesNothingBehind()
    {
        var used = TextSketch.Of("one two three four");
        used.Return();

        var next = TextSketch.Of("");

        Assert.Equal(0, next.Terms.Length);
        Assert.Equal(default(TextShape), next.Shape with { Bytes = 0 });
    }

    private static BodyFacts Read(string body, ApiRoute? route = null)
    {
        Assert.Null(BodyReader.Read(Encoding.UTF8.GetBytes(body), route ?? ApiRoute.ChatCompletions, Hasher, out var facts, out _));
        return facts;
    }
}
