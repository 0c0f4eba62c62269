using Gateway.Access;
using Gateway.Configuration;
using Gateway.Queueing.Orders;
using Gateway.Requests;
using Gateway.Telemetry;

namespace Gateway;

/// <summary>What the operators of one gateway are told beside its fleet: settings in force, the last reload, queues, and how estimates and targets came out. Thread-safe.</summary>
internal sealed class ServerStatus(GatewayCore core, Doorkeeper door, AccessLog? accessLog, GatewayMeters meters, TimeProvider time)
{
    private readonly DateTimeOffset _startedAt = time.GetUtcNow();
    private ConfigReload? _lastReload;

    /// <summary>How well the estimates hit.</summary>
    public EstimateCalibration Calibration { get; } = new();

    /// <summary>Which requests met their targets.</summary>
    public ClassGoodput Goodput { get; } = new(() => core.Options.Queue.Classes, meters, time);

    /// <summary>Notes a reload that took effect.</summary>
    public void OnReload() => Note(ConfigReloadOutcome.Applied, []);

    /// <summary>Notes a reload that was refused and changed nothing, and keeps its problems for the operators.</summary>
    public void OnRefusedReload(IReadOnlyList<ConfigurationProblem> problems) => Note(
        ConfigReloadOutcome.Rejected, [.. problems.Select(problem => $"{problem.Where with { File = Path.GetFileName(problem.Where.File) }}  {Shown(problem)}")]);

    /// <summary>Everything as it is now.</summary>
    public StatusFacts Read() => new()
    {
        Version = GatewayServer.Version,
        StartedAt = _startedAt,
        Uptime = time.GetUtcNow() - _startedAt,
        QueueDepths = QueueDepths(),
        Calibration = Calibration,
        Goodput = Goodput,
        Signals = SignalsOf,
        LastReload = Volatile.Read(ref _lastReload),
        Settings = SettingsOf(core.Options.InForce()),
        IsOpen = door.Directory is null,
        DroppedLogLines = accessLog?.DroppedLines,
    };

    /// <summary>Requests that wait, for each model and class.</summary>
    public IEnumerable<QueueDepth> QueueDepths()
    {
        foreach (var model in core.Models)
        {
            foreach (var priority in Enum.GetValues<PriorityClass>())
            {
                yield return new QueueDepth(model.Pool.Name, priority.Word(), model.Dispatcher.Waiting(priority));
            }
        }
    }

    /// <summary>What a model foresees; null: there is no such model.</summary>
    public ModelSignals? SignalsOf(string name) => core.Find(name) is { } model ? new ModelSignals(model.Demand, model.Shadow) : null;

    private void Note(ConfigReloadOutcome outcome, IReadOnlyList<string> problems)
    {
        meters.OnConfigReload(outcome);
        Volatile.Write(ref _lastReload, new ConfigReload(outcome, time.GetUtcNow()) { Problems = problems });
    }

    // The status is open to more people than the log is: a problem under access may name a tenant or a key, so only its place is shown.
    private static string Shown(ConfigurationProblem problem) =>
        problem.Path.StartsWith("access", StringComparison.Ordinal) ? $"{problem.Path}: gateway check and the log say what is wrong." : problem.ToString();

    private static SettingsInForce SettingsOf(GatewayOptions options) => new(
        options.Source?.FileName, options.Source?.Sha256, EnumWords.Of(options.Mode), options.Routing.PolicyName, options.Queue.Order, options.Queue.Admission,
        EnumWords.Of(QueueOrders.FairnessOf(options.Queue)), options.Source?.EnvironmentOverrides ?? []);
}
