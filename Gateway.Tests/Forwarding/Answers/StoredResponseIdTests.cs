using Gateway.Forwarding.Answers;

namespace Gateway.Tests.Forwarding.Answers;

public sealed class StoredResponseIdTests
{
    [Theory]
    [InlineData("""{"id":"resp_1","output":[]}""", "resp_1")]
    [InlineData("""{"type":"response.created","response":{"object":"response","id":"resp_2"}}""", "resp_2")]
    [InlineData("""{"item":{"id":"msg_1"},"other":[{"id":"x"}]}""", null)]
    [InlineData("""{"i\ud800":1,"id":"\ud800"}""", null)]
    [InlineData("{\"id\":", null)]
    public void Find_OfAnAnswer_IsItsOwnIdOnly(string json, string? expected) => Assert.Equal(expected, StoredResponseId.Find(System.Text.Encoding.UTF8.GetBytes(json)));

    // vLLM and OpenAI, SGLang, llama.cpp, Ollama, and LiteLLM, whose Base64 is padded.
    [Theory]
    [InlineData("resp_67cb32528d6881909eb2859a55e18a85", true)]
    [InlineData("9b2f1c3a-7d1e-4f5b-8a67-0c1d2e3f4a5b", true)]
    [InlineData("resp_UzTZ7yWZQ8dA1sEqFbW2", true)]
    [InlineData("resp_412", true)]
    [InlineData("resp_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZDpub25l==", true)]
    [InlineData("resp_1/cancel", false)]
    [InlineData("..", false)]
    [InlineData("resp_1?x=1", false)]
    [InlineData("resp_%2e", false)]
    [InlineData("resp_1\\..", false)]
    [InlineData("", false)]
    public void IsName_OfWhatEnginesMake_IsTrueAndOfAPathIsNot(string id, bool isName) => Assert.Equal(isName, StoredResponseId.IsName(id));

    [Fact]
    public void Find_OfAnEventWithoutData_ThrowsNothing()
    {
        var (thrown, here) = (0, Environment.CurrentManagedThreadId);
        void Count(object? sender, System.Runtime.ExceptionServices.FirstChanceExceptionEventArgs _) =>
            thrown += Environment.CurrentManagedThreadId == here ? 1 : 0;
        AppDomain.CurrentDomain.FirstChanceException += Count;

        var found = StoredResponseId.Find([]);

        AppDomain.CurrentDomain.FirstChanceException -= Count;
        Assert.Equal((null, 0), (found, thrown));
    }
}
