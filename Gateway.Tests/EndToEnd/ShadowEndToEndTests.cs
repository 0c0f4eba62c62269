using System.Text.Json;
using Gateway.Routing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>A second policy beside the one that acts, over HTTP.</summary>
public sealed class ShadowEndToEndTests
{
    [Fact]
    public async Task Shadow_OfAServingGateway_IsOnTheStatusAndAmongTheMetrics()
    {
        await using var world = await GatewayWorld.StartAsync(
            2, configure: options => options with { Routing = options.Routing with { Shadow = new ShadowOptions { Policy = "round_robin", Order = "fcfs", Admission = "none" } } });
        for (var i = 0; i < 6; i++)
        {
            using var answer = await world.PostAsync("/v1/chat/completions", Chat.Body($"question {i}"));
            Assert.True(answer.IsSuccessStatusCode);
            await answer.Content.ReadAsStringAsync();
        }
        await world.AtRestAsync();
        await GatewayWorld.UntilAsync(() => world.Server.Core.Find(GatewayWorld.Model)!.Shadow!.Read().Answers == 6, "the forecasts of both policies have caught up");

        var page = await world.Client.GetStringAsync("/metrics");
        using var status = JsonDocument.Parse(await world.Client.GetStringAsync("/-/status"));

        Assert.Contains("gateway_shadow_regret_seconds{model=\"demo\",policy=\"round_robin/fcfs/none\"} ", page, StringComparison.Ordinal);
        Assert.Contains("gateway_desired_replicas{model=\"demo\"} 1\n", page, StringComparison.Ordinal);
        var model = status.RootElement.GetProperty("models")[0];
        Assert.Equal(1, model.GetProperty("desired_replicas").GetInt32());
        var shadow = model.GetProperty("shadow");
        Assert.Equal(("round_robin/fcfs/none", 6L, 6L), (shadow.GetProperty("policy").GetString(), shadow.GetProperty("answers").GetInt64(), shadow.GetProperty("decisions").GetInt64()));
        Assert.InRange(shadow.GetProperty("differing_share").GetDouble(), 0, 1);
    }

    [Fact]
    public async Task Status_WithoutASecondPolicy_SaysSo()
    {
        await using var world = await GatewayWorld.StartAsync(1);

        using var status = JsonDocument.Parse(await world.Client.GetStringAsync("/-/status"));

        Assert.Equal(JsonValueKind.Null, status.RootElement.GetProperty("models")[0].GetProperty("shadow").ValueKind);
        Assert.DoesNotContain("gateway_shadow_regret_seconds{", await world.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }
}
