using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public class EnvironmentOverridesTests
{
    [Fact]
    public void Load_WithOverrides_PrefersThemToTheFile()
    {
        var options = Good(
            OneModel + "queue: { maxWait: 5s, maxWaiting: 7 }",
            ("GATEWAY__QUEUE__MAXWAIT", "9s"),
            ("gateway__Routing__Prefix__BlockBytes", "512"),
            ("GATEWAY__MODE", "plain"),
            ("GATEWAY_DATA", "ignored"));

        Assert.Equal((TimeSpan.FromSeconds(9), 7), (options.Queue.MaxWait, options.Queue.MaxWaiting));
        Assert.Equal((512, true), (options.Routing.Prefix.BlockBytes, options.Routing.Prefix.Enabled));
        Assert.Equal(Gateway.Configuration.GatewayMode.Plain, options.Mode);
    }

    [Fact]
    public void Load_OfAnEmptyFile_CanTakeEverythingFromTheEnvironment()
    {
        var variables = Enumerable.Range(0, 12).Select(i => ($"GATEWAY__MODELS__0__REPLICAS__{i}__URL", $"http://10.0.0.{i}:8000"));

        var options = Good("", [.. variables, ("GATEWAY__MODELS__0__NAME", "m"), ("GATEWAY__MODELS__0__ALIASES", "a, b"), ("GATEWAY__MODELS__0__REPLICAS__0__LABELS__ZONE", "z")]);

        Assert.Equal("10.0.0.11:8000", options.Models[0].Replicas[11].Id);
        Assert.Equal(["a", "b"], options.Models[0].Aliases);
        Assert.Equal("z", options.Models[0].Replicas[0].Labels["zone"]);
    }

    [Theory]
    [InlineData("http://*:1")]
    [InlineData("[http://*:1, http://*:2]")]
    [InlineData("{ urls: [http://*:1], maxConnections: 5 }")]
    [InlineData("")]
    public void Load_WithListenOverridden_ReplacesTheAddressesInEveryForm(string listen)
    {
        var options = Good($"{OneModel}listen: {listen}", ("GATEWAY__LISTEN", "http://*:3,http://*:4"));

        Assert.Equal(["http://*:3", "http://*:4"], options.Listen.Urls);
        Assert.Equal(listen.Contains("maxConnections", StringComparison.Ordinal) ? 5 : 20_000, options.Listen.MaxConnections);
    }

    [Fact]
    public void Load_WithOneKeyOfAShorthandOverridden_KeepsTheRest()
    {
        var options = Good(OneModel + "listen: http://*:1", ("GATEWAY__LISTEN__MAXCONNECTIONS", "5"), ("GATEWAY__MODELS__0__REPLICAS__0__SLOTS", "3"));

        Assert.Equal(("http://*:1", 5), (Assert.Single(options.Listen.Urls), options.Listen.MaxConnections));
        Assert.Equal(("10.0.0.1:8000", 3), (options.Models[0].Replicas[0].Id, options.Models[0].Replicas[0].Slots));
    }

    [Theory]
    [InlineData("GATEWAY__QUEUE__ORDR", "fcfs", "queue.ordr: unknown setting. Did you mean \"GATEWAY__QUEUE__ORDER\"?")]
    [InlineData("GATEWAY__NOTHING", "1", "nothing: unknown setting. Known: listen, mode, models, routing, queue, estimation, resilience, access, redis, telemetry.")]
    [InlineData("GATEWAY__", "1", "unknown setting. Known: listen, mode, models, routing, queue, estimation, resilience, access, redis, telemetry.")]
    [InlineData("GATEWAY__QUEUE", "1", "queue: names a section. Go on with one of its keys, as in GATEWAY__QUEUE__ORDER.")]
    [InlineData("GATEWAY__QUEUE__ORDER__0", "1", "queue.order.0: unknown setting.")]
    [InlineData("GATEWAY__MODELS__5__NAME", "x", "models[5]: no such item: a number from 0 to 1 is expected.")]
    [InlineData("GATEWAY__MODELS__X__NAME", "x", "models[x]: no such item: a number from 0 to 1 is expected.")]
    [InlineData("GATEWAY__MODELS", "x", "models: names a list. Go on with a number, as in GATEWAY__MODELS__0.")]
    [InlineData("GATEWAY__QUEUE__MAXWAITING", "0", "queue.maxWaiting: 0 is too small. Allowed: 1 to 1000000.")]
    [InlineData("GATEWAY__QUEUE__ORDER", "lifo", "queue.order: no order is called \"lifo\". Known: fcfs, sjf, boost, wspt, lamps, edf, larry, ssjf, ltr, vtc, dlpm, mlfq.")]
    [InlineData("GATEWAY__LISTEN", "https://x", "listen[0]: https needs a certificate. Name its files in listen.tls, or listen on http and end TLS in front of the gateway.")]
    public void Load_OfAMistakenOverride_NamesTheVariable(string name, string value, string expected)
    {
        var problem = Assert.Single(Bad(OneModel, (name, value)));

        Assert.Equal($"{name} {expected}", problem);
    }

    [Fact]
    public void Load_OfOverridesOntoAMistakenFile_NeverThrows()
    {
        foreach (var file in new[] { "- a", "5", "models: 5", "models: { a: 1 }", "queue: [1]", "models: [5]", "listen: { urls: { a: b } }" })
        {
            var problems = Bad(file, ("GATEWAY__MODELS__0__REPLICAS__0__URL", "http://a:1"), ("GATEWAY__QUEUE__MAXWAIT", "1s"), ("GATEWAY__LISTEN__URLS__0", "http://a:1"));

            Assert.NotEmpty(problems);
        }
    }
}
