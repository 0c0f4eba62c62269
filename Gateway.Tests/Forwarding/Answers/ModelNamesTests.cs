using Gateway.Forwarding.Answers;

namespace Gateway.Tests.Forwarding.Answers;

public sealed class ModelNamesTests
{
    [Theory]
    [InlineData("org/Big-8B", "The model `org/Big-8B` does not exist.", "The model `chat` does not exist.")]
    [InlineData("org/Big-8B", "org/Big-8B is not a multimodal model", "chat is not a multimodal model")]
    [InlineData("org/Big-8B", "Too long for org/Big-8B. Shorten it.", "Too long for chat. Shorten it.")]
    [InlineData("org/Big-8B", "org/Big-8B: too long, says org/Big-8B", "chat: too long, says chat")]
    [InlineData("big:8b", "model \"big:8b\" takes no images", "model \"chat\" takes no images")]
    [InlineData("base", "'base' has no template", "'chat' has no template")]
    public void InText_OfAnEnginesOwnName_TellsThePublicOne(string engine, string says, string shown) =>
        Assert.Equal(shown, new ModelNames(engine, "chat").InText(says));

    [Theory]
    [InlineData("base", "The base of this database is 'based' on base64")]
    [InlineData("org/Big-8B", "org/Big-8B-Instruct, other.org/Big-8B and org/Big-8B.1 are other models")]
    [InlineData("big:8b", "big:8b:q4 is another model")]
    [InlineData("chat", "The model `chat` is asleep")]
    [InlineData("org/Big-8B", "")]
    public void InText_OfWordsThatAreNotTheName_ChangesNothing(string engine, string says) =>
        Assert.Equal(says, new ModelNames(engine, "chat").InText(says));

    [Fact]
    public void InText_OfNoNames_ChangesNothing() => Assert.Equal("words", default(ModelNames).InText("words"));
}
