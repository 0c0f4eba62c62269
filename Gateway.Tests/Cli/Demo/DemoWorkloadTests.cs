using Gateway.Cli.Demo;

namespace Gateway.Tests.Cli.Demo;

public class DemoWorkloadTests
{
    [Fact]
    public void Create_WithOneSeed_IsTheSameTwice()
    {
        var first = DemoWorkload.Create(5).Select(conversation => (conversation.Id, conversation.System, string.Join('|', conversation.Turns)));
        var second = DemoWorkload.Create(5).Select(conversation => (conversation.Id, conversation.System, string.Join('|', conversation.Turns)));

        Assert.Equal(first, second);
    }

    [Fact]
    public void Create_WithAnySeed_MixesWhatAFleetSees()
    {
        var conversations = DemoWorkload.Create(1);
        var turns = conversations.SelectMany(conversation => conversation.Turns).ToArray();

        Assert.Equal(120, DemoWorkload.Requests(conversations));
        Assert.Equal(conversations.Count, conversations.Select(conversation => conversation.Id).Distinct().Count());
        Assert.Equal(["batch", "default", "interactive"], conversations.Select(conversation => conversation.Priority).Distinct().Order());
        Assert.Contains(conversations, conversation => conversation.Turns.Count > 2);
        Assert.InRange(turns.Count(turn => turn.IsStreamed), 60, 100);
        Assert.All(conversations.GroupBy(conversation => conversation.Tenant), tenant => Assert.Single(tenant.Select(conversation => conversation.System).Distinct()));
    }
}
