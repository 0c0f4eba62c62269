using Gateway.Queueing;
using Gateway.Replay;
using Gateway.Replicas;

namespace Gateway.Tests.Replay;

public sealed class ReplayPolicyTests
{
    [Theory]
    [InlineData("round_robin", "round_robin", "fcfs", "none", LengthKnowledge.None)]
    [InlineData("plain", "least_requests", "fcfs", "none", LengthKnowledge.None)]
    [InlineData("default", "least_delay", "boost", "past_future", LengthKnowledge.Learned)]
    [InlineData("sal/boost", "sal", "boost", "none", LengthKnowledge.None)]
    [InlineData("lmetric/larry/window", "lmetric", "larry", "window", LengthKnowledge.None)]
    [InlineData("chwbl/vtc/past_future/oracle", "chwbl", "vtc", "past_future", LengthKnowledge.Oracle)]
    [InlineData("sal/sjf/none/learned", "sal", "sjf", "none", LengthKnowledge.Learned)]
    [InlineData("dynamo///class", "dynamo", "fcfs", "none", LengthKnowledge.Class)]
    public void Parse_AKnownPolicy_FillsWhatIsMissing(string text, string routing, string order, string admission, LengthKnowledge lengths)
    {
        var policy = ReplayPolicy.Parse(text, out var problem);

        Assert.Null(problem);
        Assert.Equal(new ReplayPolicy(text, routing, order, admission, lengths), policy);
    }

    [Fact]
    public void Parse_NumbersAfterTheirNames_AreTaken()
    {
        var boost = ReplayPolicy.Parse("random/boost:0.05/window:36", out _)!;
        var share = ReplayPolicy.Parse("random/fcfs/past_future:1.05/mean", out _)!;

        Assert.Equal((0.05, 36, null), (boost.BoostPerSecond, boost.WindowRequests, boost.CapacityShare));
        Assert.Equal((null, null, 1.05), (share.BoostPerSecond, share.WindowRequests, share.CapacityShare));
    }

    [Theory]
    [InlineData("random/fcfs/past_future", true)]
    [InlineData("random/fcfs/past_future:0.97", false)]
    public void Options_OfAGivenShare_FollowNoPreemptions(string text, bool follows) =>
        Assert.Equal(follows, ReplayPolicy.Parse(text, out _)!.Options(new ModelOptions { Name = "m" }, 1).Queue.SteersCapacityShare);

    [Theory]
    [InlineData("sal/edf", false)]
    [InlineData("sal/edf:hard/past_future", true)]
    public void Parse_HardBehindEdf_MakesFirstTokensADeadline(string text, bool isHard)
    {
        var policy = ReplayPolicy.Parse(text, out _)!;

        Assert.Equal(("edf", isHard), (policy.Order, policy.HardTtftSlo));
        Assert.Equal(isHard, policy.Options(new ModelOptions { Name = "m" }, 1).Queue.HardTtftSlo);
    }

    [Theory]
    [InlineData("least_delay", 30)]
    [InlineData("least_delay:0", 0)]
    [InlineData("least_delay:2.5/fcfs", 2.5)]
    [InlineData("least_delay:600", 600)]
    public void Parse_SecondsBehindLeastDelay_AreTheLongestWaitForAFavourite(string text, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), ReplayPolicy.Parse(text, out _)!.Options(new ModelOptions { Name = "m" }, 1).Routing.FavouriteWait);

    [Fact]
    public void Parse_WordsAroundTheOrder_AreTaken()
    {
        var options = ReplayPolicy.Parse("sal/dlpm:4096+sjf+promotion/window/mean/continue:0.5", out _)!.Options(new ModelOptions { Name = "m" }, 1).Queue;

        Assert.Equal((FairnessMode.Dlpm, 4_096, "sjf", RescueMode.Promotion), (options.Fairness, options.FairnessQuantumTokens, options.Order, options.Rescue));
        Assert.Equal((PreemptMode.Continue, 0.5), (options.Preempt, options.PreemptLimit));
    }

    [Theory]
    [InlineData("default@3", 3, 100.0)]
    [InlineData("sal/boost@2:250", 2, 250.0)]
    [InlineData("plain@3:alone", 3, null)]
    [InlineData("plain", 1, 100.0)]
    public void Parse_OfSeveralGateways_KnowsHowManyAndWhetherTheyShare(string text, int gateways, double? milliseconds)
    {
        var policy = ReplayPolicy.Parse(text, out _)!;

        Assert.Equal((text, gateways, milliseconds), (policy.Name, policy.Gateways, policy.ExchangeInterval?.TotalMilliseconds));
    }

    [Theory]
    [InlineData("sal/sjf/none/learned", "ensemble")]
    [InlineData("sal/sjf/none/learned:linear", "linear")]
    [InlineData("sal/sjf/none/mean", "running")]
    [InlineData("sal/sjf/none/none", "constant")]
    public void Options_OfWhatIsKnownOfLengths_NameTheEstimator(string text, string estimator) =>
        Assert.Equal(estimator, ReplayPolicy.Parse(text, out _)!.Options(new ModelOptions { Name = "m" }, 1).Estimation.Estimator);

    [Theory]
    [InlineData("sal/sjf/none/learned:psychic", "No estimator is called 'psychic'", "neighbours")]
    [InlineData("sal/sjf/none/mean:linear", "'mean:linear'", "only learned")]
    [InlineData("fastest", "No routing is called 'fastest'", "least_requests")]
    [InlineData("", "No routing is called ''", "default")]
    [InlineData("sal/lifo", "No order is called 'lifo'", "fcfs")]
    [InlineData("sal/fcfs/always", "No admission is called 'always'", "past_future")]
    [InlineData("sal/fcfs/none/psychic", "No lengths is called 'psychic'", "oracle")]
    [InlineData("sal/fcfs/none/mean/off/more", "more than the five parts", "routing/order/admission/lengths/preempt")]
    [InlineData("default/sjf", "takes no further parts", "default")]
    [InlineData("sal/fcfs/window:0", "'window:0'", "1 to 100000")]
    [InlineData("sal/fcfs/window:2.5", "'window:2.5'", "whole number")]
    [InlineData("sal/boost:fast", "'boost:fast'", "0.001 to 100")]
    [InlineData("sal/fcfs/past_future:3", "'past_future:3'", "0.05 to 2")]
    [InlineData("sal/lottery+fcfs", "No fairness is called 'lottery'", "vtc, dlpm")]
    [InlineData("sal/dlpm:5+fcfs", "'dlpm:5'", "256 to 10000000")]
    [InlineData("sal/vtc+dlpm+fcfs", "more than fairness+order", "vtc+dlpm+fcfs")]
    [InlineData("sal/fcfs/none/none/always", "No preempt is called 'always'", "before_first_byte")]
    [InlineData("sal/fcfs/none/none/continue:1.5", "'continue:1.5'", "0 to 1")]
    [InlineData("sal/edf:2", "'edf:2'", "only hard may follow")]
    [InlineData("sal/boost:hard", "'boost:hard'", "0.001 to 100")]
    [InlineData("sal/sjf:hard", "'sjf:hard'", "takes no number")]
    [InlineData("least_delay:601", "'least_delay:601'", "0 to 600")]
    [InlineData("least_delay:-1", "'least_delay:-1'", "0 to 600")]
    [InlineData("least_delay:soon", "'least_delay:soon'", "0 to 600")]
    [InlineData("sal/sjf:2", "'sjf:2'", "takes no number")]
    [InlineData("default@1", "'@1'", "2 to 64 gateways")]
    [InlineData("default@2.5", "'@2.5'", "2 to 64 gateways")]
    [InlineData("default@3:soon", "'@3:soon'", "or alone")]
    [InlineData("default@3:0", "'@3:0'", "1 to 60000")]
    [InlineData("fastest@3", "No routing is called 'fastest'", "least_requests")]
    public void Parse_AWrongWord_SaysWhatIsAllowed(string text, string what, string allowed)
    {
        Assert.Null(ReplayPolicy.Parse(text, out var problem));

        Assert.Contains(what, problem, StringComparison.Ordinal);
        Assert.Contains(allowed, problem, StringComparison.Ordinal);
    }
}
