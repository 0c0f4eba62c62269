using Gateway.Estimation.Learned;
using Gateway.Requests;
using Gateway.Requests.Sketching;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Estimation.Learned;

public sealed class NeighbourExpertTests
{
    private readonly LengthKey _key = new(256, 512);

    [Theory]
    [InlineData(0)]
    [InlineData(int.MaxValue - 100L)]
    [InlineData(uint.MaxValue - 100L)]
    [InlineData(uint.MaxValue + 5L)]
    public void Foresee_HoweverManyPromptsCameBefore_GoesByTheMostAlike(long before)
    {
        var expert = new NeighbourExpert(before);
        for (var i = 0; i < 400; i++)
        {
            var isLong = i % 2 == 0;
            expert.Learn(RowOf(isLong ? "write an essay about birds" : "name one river"), _key, isLong ? 7 : 2, 1);
        }

        var (essay, name) = (expert.Foresee(RowOf("an essay about birds"), _key), expert.Foresee(RowOf("name one river"), _key));

        Assert.InRange(essay!.Value, 6, 8);
        Assert.InRange(name!.Value, 1.5, 3);
    }

    private FeatureRow RowOf(string text)
    {
        var row = new FeatureRow();
        row.Fill(CorePool.Request() with { Body = new BodyFacts { PromptBytes = text.Length, Messages = 1, Sketch = TextSketch.Of(text) } }, _key, _key);
        return row;
    }
}
