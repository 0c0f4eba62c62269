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
