using System.Net;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

public class ServingTests
{
    [Fact]
    public async Task Chat_ThroughTheGateway_IsAnsweredByAReplica()
    {
        await using var world = await GatewayWorld.StartAsync();

        using var response = await world.PostAsync("/v1/chat/completions", """{"model":"demo","messages":[{"role":"user","content":"answer with 5 tokens"}]}""");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains("\"chat.completion\"", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Contains(response.Headers.GetValues("x-gateway-replica").Single(), world.Pool.ReplicaList.Select(replica => replica.Id));
    }
}
