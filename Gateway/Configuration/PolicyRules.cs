using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Routing;

namespace Gateway.Configuration;

/// <summary>Which policies of the queue and of routing contradict each other, and which settings nobody would look at under those that are chosen.</summary>
internal static class PolicyRules
{
    public static void Check(GatewayOptions options, RuleReport report)
    {
        CheckScorers(options.Routing, report);
        if (options.Queue.Fairness != FairnessMode.Off && QueueOrders.FairnessOf(options.Queue with { Fairness = FairnessMode.Off }) != FairnessMode.Off)
        {
            report.Add("queue.fairness", $"order: {options.Queue.Order} is fair by itself. Leave fairness out, or name an order for each client's own requests.", "order: boost");
        }

        if (options.Queue.Preempt == PreemptMode.Continue && !options.Resilience.ContinueStreams)
        {
            report.Add("queue.preempt", "a stream that is stopped goes on only with resilience.continueStreams: true.", "before_first_byte");
        }

        WarnOfIdleSettings(options.Queue, options.Routing, report);
        WarnOfAnEqualShadow(options.InForce(), report);
    }

    private static void CheckScorers(RoutingOptions routing, RuleReport report)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < routing.Scorers.Count; i++)
        {
            var name = routing.Scorers[i].Name;
            if (name.Length > 0 && !seen.Add(name))
            {
                report.Add($"routing.scorers[{i}].name", $"\"{SettingText.Shown(name)}\" is listed twice.");
            }

            if (name == "prefix" && !routing.Prefix.Enabled)
            {
                report.Add($"routing.scorers[{i}].name", "the prefix scorer needs routing.prefix.enabled: true.");
            }
        }

        if (routing.Scorers.Count > 0 && routing.Policy != RoutingPolicies.Default && RoutingPolicies.Names.Contains(routing.Policy))
        {
            report.Add("routing.policy", $"the mix under scorers takes the place of {SettingText.Shown(routing.Policy)}. Keep one of the two.");
        }

        if (routing.Scorers.Count > 0 && routing.Scorers.All(scorer => scorer.Weight == 0))
        {
            report.Add("routing.scorers", "no scorer has a weight above 0.");
        }
    }

    private static void WarnOfAnEqualShadow(GatewayOptions inForce, RuleReport report)
    {
        var (shadow, policy, order, admission) = (inForce.Routing.Shadow, inForce.Routing.PolicyName, inForce.Queue.Order, inForce.Queue.Admission);
        if (shadow.IsOn && (shadow.Policy ?? policy) == policy && (shadow.Order ?? order) == order && (shadow.Admission ?? admission) == admission)
        {
            report.Warn("routing.shadow", $"is the policy that is in force ({SettingText.Shown($"{policy}/{order}/{admission}")}): there is nothing to compare.");
        }
    }

    // As the examples write defaults down, only another value was meant to do something.
    private static void WarnOfIdleSettings(QueueOptions queue, RoutingOptions routing, RuleReport report)
    {
        var (usual, usualRouting) = (new QueueOptions(), new RoutingOptions());
        var isWindow = queue.Admission == "window" || routing.Shadow.Admission == "window";
        var isBoost = queue.Order == "boost" || routing.Shadow.Order == "boost";
        var isLeastDelay = routing.PolicyName == RoutingPolicies.Default || routing.Shadow.Policy == RoutingPolicies.Default;
        var isFair = QueueOrders.FairnessOf(queue) != FairnessMode.Off;
        Warn(queue.BoostPerSecond is not null && !isBoost, "queue.boostPerSecond", "order: boost", $"the order is {queue.Order}");
        Warn(queue.WindowRequests != usual.WindowRequests && !isWindow, "queue.windowRequests", "admission: window", $"it is {queue.Admission}");
        Warn(queue.FairnessQuantumTokens != usual.FairnessQuantumTokens && !isFair, "queue.fairnessQuantumTokens", "a fairness", "there is none");
        Warn(queue.FairnessHeadroom != usual.FairnessHeadroom && !isFair, "queue.fairnessHeadroom", "a fairness", "there is none");
        Warn(queue.PreemptLimit != usual.PreemptLimit && queue.Preempt != PreemptMode.Continue, "queue.preemptLimit", "preempt: continue", $"it is {EnumWords.Of(queue.Preempt)}");
        Warn(queue.Preempt != PreemptMode.Off && queue.Admission == "none", "queue.preempt", "an admission that holds requests", "it is none");
        Warn(routing.FavouriteWait != usualRouting.FavouriteWait && !isLeastDelay, "routing.favouriteWait", "policy: least_delay", $"it is {routing.PolicyName}");
        Warn(routing.SlowStart != usualRouting.SlowStart && !isLeastDelay, "routing.slowStart", "policy: least_delay", $"it is {routing.PolicyName}");

        void Warn(bool isIdle, string path, string needed, string instead)
        {
            if (isIdle && report.IsWritten(path))
            {
                report.Warn(path, $"has an effect only with {needed}; {SettingText.Shown(instead)}.");
            }
        }
    }
}
