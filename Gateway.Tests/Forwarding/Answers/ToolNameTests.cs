using System.Text;
using Gateway.Forwarding.Answers;

namespace Gateway.Tests.Forwarding.Answers;

public sealed class ToolNameTests
{
    [Theory]
    [InlineData("""{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"bash","arguments":""}}]}}]}""", "bash")]
    [InlineData("""{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"arguments":"{}","name":"read"}},{"function":{"name":"write"}}]},"finish_reason":"tool_calls"}]}""", "read")]
    [InlineData("""{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"name\":\"x\"}"}}]}}]}""", null)]
    [InlineData("""{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"grep","input":{"name":"x"}}}""", "grep")]
    [InlineData("""{"type":"response.output_item.added","item":{"type":"function_call","name":"edit","arguments":""}}""", "edit")]
    [InlineData("""{"choices":[{"delta":{"tool_calls":[1,null,{"function":7},{"function":{"name":""}}]}}]}""", null)]
    [InlineData("""{"choices":[{"delta":{"tool_calls":{"name":"no list"}}}]}""", null)]
    [InlineData("""{"choices":[{"delta":{"content":"bash"}}]}""", null)]
    public void Read_OfAnAnswer_FindsTheFirstToolThatIsCalled(string json, string? expected)
    {
        var bytes = Encoding.UTF8.GetBytes(json);

        var facts = AnswerBody.Read(bytes);

        Assert.Equal(expected, facts.ToolName is { } name ? Encoding.UTF8.GetString(bytes[name]) : null);
    }
}
