using System.Globalization;
using Gateway.Configuration;
using Gateway.Coordination;
using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Replay;

/// <summary>What decides in a run: routing, order, admission, what is known of lengths and who is preempted; named <c>routing/order/admission/lengths/preempt</c> or by a preset.</summary>
/// <param name="Name">As written.</param>
/// <param name="Routing">How a replica is chosen.</param>
/// <param name="Order">Who goes first.</param>
/// <param name="Admission">Who may go at all.</param>
/// <param name="Lengths">What is known of answers' lengths.</param>
public sealed partial record ReplayPolicy(string Name, string Routing, string Order, string Admission, LengthKnowledge Lengths)
{
    private static readonly GatewayOptions Defaults = new();
    private const string Hard = "hard";
    private const int MostGateways = 64;

    private static readonly string[] LengthNames = ["none", "mean", "class", "learned", "oracle"];

    /// <summary>What follows a colon: the γ of <c>boost:0.05</c>. Null: the default.</summary>
    public double? BoostPerSecond { get; init; }

    /// <summary>What follows a colon: the requests of <c>window:36</c>. Null: the default.</summary>
    public int? WindowRequests { get; init; }

    /// <summary>What follows a colon: the share of the KV room of <c>past_future:0.95</c>, which then follows no preemptions; above 1 more is given out than there is. Null: the default.</summary>
    public double? CapacityShare { get; init; }

    /// <summary>What follows a colon: the seconds of <c>least_delay:5</c> that a request waits for its favourite at most. Null: the default.</summary>
    public TimeSpan? FavouriteWait { get; init; }

    /// <summary>Whether <c>hard</c> follows a colon, as in <c>edf:hard</c>: a request whose first token must come too late is refused.</summary>
    public bool HardTtftSlo { get; init; }

    /// <summary>Whether a request that must miss its deadline is refused at once.</summary>
    public bool RefusesLate { get; init; } = true;

    /// <summary>What follows an @: gateways that get the requests by turns of chance, each with a queue and a view of its own; 1 unless given.</summary>
    public int Gateways { get; init; } = 1;

    /// <summary>What follows the gateways and a colon: time between two exchanges of what they know, or <c>alone</c>, null.</summary>
    public TimeSpan? ExchangeInterval { get; init; } = new RedisOptions().Interval;

    /// <summary>What follows a colon: the estimator of <c>learned:linear</c>. Null: the default.</summary>
    public string? Estimator { get; init; }

    /// <summary>Presets by name.</summary>
    public static IReadOnlyDictionary<string, string> Presets { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["default"] = $"{Defaults.Routing.Policy}/{Defaults.Queue.Order}/{Defaults.Queue.Admission}/learned",
        ["plain"] = "least_requests/fcfs/none/none",
    };

    /// <summary>Reads one policy.</summary>
    /// <param name="text">A preset, or up to five parts with slashes between; missing parts are <c>fcfs</c>, <c>none</c>, <c>none</c>, <c>off</c>.
    /// A colon and a number may follow the names <c>least_delay</c>, <c>sticky</c>, <c>boost</c>, <c>window</c>, <c>past_future</c> and <c>continue</c>, one of tokens a fairness; one and an
    /// estimator's name <c>learned</c>; one and <c>hard</c> the name <c>edf</c>.
    /// Before the order may stand a fairness, after it a rescue, as in <c>vtc+sjf+promotion</c>; after the admission how long siblings wait for each other, as in <c>past_future+siblings:0</c>.
    /// At the end, <c>@3</c> stands for three gateways that share what they know; <c>@3:1000</c> for an exchange each 1000 ms, <c>@3:alone</c> for none.</param>
    /// <param name="problem">What is wrong and what is known; null when nothing.</param>
    /// <returns>Null when there is a problem.</returns>
    public static ReplayPolicy? Parse(string text, out string? problem)
    {
        if (text.IndexOf('@', StringComparison.Ordinal) is >= 0 and var at)
        {
            return ParseSeveral(text, text[..at], text[(at + 1)..], out problem);
        }
        var parts = Presets.GetValueOrDefault(text, text).Split('/');
        var (routing, seconds) = Divided(parts[0]);
        var (lengths, estimator) = Divided(Part(parts, 3, "none"));
        var queue = QueueWords.Of(Part(parts, 1, "fcfs"));
        var (order, gamma) = Divided(queue.Order);
        var (preempt, limit) = Divided(Part(parts, 4, "off"));
        var holding = AdmissionWords.Of(Part(parts, 2, "none"));
        var (admission, amount) = Divided(holding.Admission);
        problem = parts.Length > 5 ? $"'{text}' has more than the five parts routing/order/admission/lengths/preempt."
            : parts.Length > 1 && Presets.ContainsKey(routing) ? $"'{text}': the preset {routing} takes no further parts."
            : Unknown("routing", routing, RoutingPolicies.Names, Presets.Keys) ?? queue.Problem ?? Unknown("order", order, QueueOrders.Names)
            ?? Unknown("admission", admission, AdmissionRules.Names) ?? Unknown("lengths", lengths, LengthNames)
            ?? (estimator is null ? null : lengths == "learned" ? Unknown("estimator", estimator, OutputLengthEstimators.Names) : $"'{lengths}:{estimator}': only learned takes an estimator's name.")
            ?? Unknown("preempt", preempt, EnumWords.All(typeof(PreemptMode)).Select(word => word.Key))
            ?? WrongNumber(routing, seconds) ?? WrongNumber(order, gamma) ?? WrongNumber(admission, amount) ?? WrongNumber(preempt, limit) ?? holding.Problem;
        return problem is not null ? null : new ReplayPolicy(text, routing, order, admission, (LengthKnowledge)Array.IndexOf(LengthNames, lengths))
        {
            BoostPerSecond = order == "boost" ? Number(gamma) : null,
            WindowRequests = admission == "window" ? (int?)Number(amount) : null,
            CapacityShare = admission == "past_future" ? Number(amount) : null,
            FavouriteWait = routing == "least_delay" ? Seconds(seconds) : null,
            HardTtftSlo = gamma == Hard,
            Estimator = estimator,
            SessionTtl = routing == "sticky" ? Seconds(seconds) : null,
            SiblingWait = holding.Wait,
            Fairness = queue.Fairness,
            QuantumTokens = queue.QuantumTokens,
            Rescue = queue.Rescue,
            Preempt = (PreemptMode)EnumWords.All(typeof(PreemptMode)).First(word => word.Key == preempt).Value,
            PreemptLimit = Number(limit),
        };
    }

    private static ReplayPolicy? ParseSeveral(string text, string policy, string gateways, out string? problem)
    {
        var (count, interval) = Divided(gateways);
        var milliseconds = interval is null ? new RedisOptions().Interval.TotalMilliseconds : Number(interval);
        if (Number(count) is not (>= 2 and <= MostGateways and var number) || number != Math.Floor(number) || (interval != "alone" && milliseconds is not (>= 1 and <= 60_000)))
        {
            problem = $"'@{gateways}': 2 to {MostGateways} gateways, and after a colon the milliseconds between two exchanges, 1 to 60000, or alone, such as default@3:alone.";
            return null;
        }
        return Parse(policy, out problem) is not { } one ? null : one with
        {
            Name = text,
            Gateways = (int)number,
            ExchangeInterval = interval == "alone" ? null : TimeSpan.FromMilliseconds(milliseconds!.Value),
        };
    }

    /// <summary>The options of a gateway that decides so.</summary>
    /// <param name="model">The fleet.</param>
    /// <param name="seed">Of the draws among equals.</param>
    public GatewayOptions Options(ModelOptions model, int seed) => Defaults with
    {
        Models = [model],
        Routing = Defaults.Routing with
        {
            Policy = Routing,
            Seed = seed,
            SessionTtl = SessionTtl ?? Defaults.Routing.SessionTtl,
            ToolReturnShare = SessionTtl is null ? Defaults.Routing.ToolReturnShare : 0,
            FavouriteWait = FavouriteWait ?? Defaults.Routing.FavouriteWait,
        },
        Queue = Defaults.Queue with
        {
            Order = Order,
            BoostPerSecond = BoostPerSecond ?? Defaults.Queue.BoostPerSecond,
            Fairness = Fairness,
            FairnessQuantumTokens = QuantumTokens ?? Defaults.Queue.FairnessQuantumTokens,
            Rescue = Rescue,
            Preempt = Preempt,
            PreemptLimit = PreemptLimit ?? Defaults.Queue.PreemptLimit,
            CapacityShare = CapacityShare ?? Defaults.Queue.CapacityShare,
            SteersCapacityShare = CapacityShare is null && Defaults.Queue.SteersCapacityShare,
            Admission = Admission,
            RefuseLate = RefusesLate,
            SiblingWait = SiblingWait ?? Defaults.Queue.SiblingWait,
            HardTtftSlo = HardTtftSlo,
            WindowRequests = WindowRequests ?? Defaults.Queue.WindowRequests,
            // A replay measures waiting; it does not cut it off.
            MaxWaiting = int.MaxValue,
            MaxWaitingBytes = long.MaxValue,
            MaxWait = TimeSpan.FromDays(1),
        },
        Estimation = Defaults.Estimation with { Estimator = EstimatorName() },
    };

    private string EstimatorName() => Lengths switch
    {
        LengthKnowledge.None => "constant",
        LengthKnowledge.Learned => Estimator ?? Defaults.Estimation.Estimator,
        _ => "running",
    };

    private static string Part(string[] parts, int index, string otherwise) =>
        parts.Length > index && parts[index].Length > 0 ? parts[index] : otherwise;

    private static (string Name, string? Number) Divided(string part) =>
        part.IndexOf(':', StringComparison.Ordinal) is >= 0 and var colon ? (part[..colon], part[(colon + 1)..]) : (part, null);

    private static string? WrongNumber(string name, string? number) => (name, Number(number)) switch
    {
        (_, _) when number is null => null,
        ("edf", _) when number == Hard => null,
        ("least_delay", >= 0 and <= 600) or ("sticky", >= 0 and <= 86_400) => null,
        ("boost", >= 0.001 and <= 100) or ("past_future", >= 0.05 and <= 2) or ("continue", >= 0 and <= 1) => null,
        ("window", >= 1 and <= 100_000 and var requests) when requests == Math.Floor(requests) => null,
        ("edf", _) => $"'{name}:{number}': only hard may follow, as in edf:hard.",
        ("least_delay", _) => $"'{name}:{number}': the longest wait for a favourite is a number of seconds from 0 to 600, such as least_delay:5.",
        ("sticky", _) => $"'{name}:{number}': a session keeps its replica for a number of seconds from 0 to 86400, such as sticky:30.",
        ("boost", _) => $"'{name}:{number}': γ is a number per second from 0.001 to 100, such as boost:0.05.",
        ("past_future", _) => $"'{name}:{number}': the share of the KV room is a number from 0.05 to 2, such as past_future:0.95.",
        ("window", _) => $"'{name}:{number}': the window is a whole number of requests from 1 to 100000, such as window:36.",
        ("continue", _) => $"'{name}:{number}': the share of an answer's expected length is a number from 0 to 1, such as continue:0.8.",
        _ => $"'{name}:{number}': {name} takes no number; least_delay, sticky, boost, window, past_future and continue do.",
    };

    private static TimeSpan? Seconds(string? text) => Number(text) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

    private static double? Number(string? text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string? Unknown(string part, string name, params IEnumerable<string>[] known)
    {
        var names = known.SelectMany(list => list).ToArray();
        return Array.IndexOf(names, name) >= 0 ? null : $"No {part} is called '{name}'. Known: {string.Join(", ", names)}.";
    }
}

/// <summary>What a policy may know of an answer's length before it comes.</summary>
public enum LengthKnowledge
{
    /// <summary>A constant.</summary>
    None,

    /// <summary>The running distribution of a client's answers.</summary>
    Mean,

    /// <summary>The running distribution of each length class that the workload's own classifier tells apart; the model's where it tells none.</summary>
    Class,

    /// <summary>What an estimator learns from the answers themselves: from keys, numbers and, where the workload has text, from words.</summary>
    Learned,

    /// <summary>The truth: the limit that any estimator is measured against.</summary>
    Oracle,
}
