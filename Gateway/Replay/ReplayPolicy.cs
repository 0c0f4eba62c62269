using Gateway.Configuration;
using Gateway.Queueing.Orders;
using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Replay;

/// <summary>What decides in a run: routing, order, admission and what is known of lengths; named <c>routing/order/admission/lengths</c> or by a preset.</summary>
/// <param name="Name">As written.</param>
/// <param name="Routing">How a replica is chosen.</param>
/// <param name="Order">Who goes first.</param>
/// <param name="Admission">Who may go at all.</param>
/// <param name="Lengths">What is known of answers' lengths.</param>
/// <param name="WindowRequests">The window of <c>window</c> admission; null: its default.</param>
public sealed record ReplayPolicy(string Name, string Routing, string Order, string Admission, LengthKnowledge Lengths, int? WindowRequests = null)
{
    private static readonly GatewayOptions Defaults = new();

    /// <summary>Presets by name.</summary>
    public static IReadOnlyDictionary<string, string> Presets { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["default"] = $"{Defaults.Routing.Policy}/{Defaults.Queue.Order}/{Defaults.Queue.Admission}/mean",
        ["plain"] = "least_requests/fcfs/none/none",
    };

    /// <summary>Reads one policy.</summary>
    /// <param name="text">A preset, or up to four parts with slashes between; missing parts are <c>fcfs</c>, <c>none</c>, <c>none</c>.</param>
    /// <param name="problem">What is wrong and what is known; null when nothing.</param>
    /// <returns>Null when there is a problem.</returns>
    public static ReplayPolicy? Parse(string text, out string? problem)
    {
        var parts = Presets.GetValueOrDefault(text, text).Split('/');
        var (routing, order, admission, lengths) = (parts[0], Part(parts, 1, "fcfs"), Part(parts, 2, "none"), Part(parts, 3, "none"));
        var (rule, window) = Window(admission);
        problem = parts.Length > 4 ? $"'{text}' has more than the four parts routing/order/admission/lengths."
            : Unknown("routing", routing, RoutingPolicies.Names, Presets.Keys) ?? Unknown("order", order, QueueOrders.Names)
            ?? Unknown("admission", rule, AdmissionRules.Names) ?? Unknown("lengths", lengths, LengthNames);
        return problem is null
            ? new ReplayPolicy(text, routing, order, rule, (LengthKnowledge)Array.IndexOf(LengthNames, lengths), window)
            : null;
    }

    /// <summary>The options of a gateway that decides so.</summary>
    /// <param name="model">The fleet.</param>
    /// <param name="seed">Of the draws among equals.</param>
    public GatewayOptions Options(ModelOptions model, int seed) => Defaults with
    {
        Models = [model],
        Routing = Defaults.Routing with { Policy = Routing, Seed = seed },
        Queue = Defaults.Queue with
        {
            Order = Order,
            Admission = Admission,
            WindowRequests = WindowRequests ?? Defaults.Queue.WindowRequests,
            // A replay measures waiting; it does not cut it off.
            MaxWaiting = int.MaxValue,
            MaxWaitingBytes = long.MaxValue,
            MaxWait = TimeSpan.FromDays(1),
        },
        Estimation = Defaults.Estimation with { Estimator = Lengths == LengthKnowledge.None ? "constant" : "running" },
    };

    private static readonly string[] LengthNames = ["none", "mean", "oracle"];

    private static string Part(string[] parts, int index, string otherwise) =>
        parts.Length > index && parts[index].Length > 0 ? parts[index] : otherwise;

    // window:36 names the window too.
    private static (string Rule, int? Window) Window(string admission) =>
        admission.Split(':') is [var rule, var size] && int.TryParse(size, out var requests) && requests > 0 ? (rule, requests) : (admission, null);

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

    /// <summary>The running distribution of the model's answers.</summary>
    Mean,

    /// <summary>The truth: the limit that any estimator is measured against.</summary>
    Oracle,
}
