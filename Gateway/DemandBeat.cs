using Gateway.Requests;
using Gateway.Telemetry;

namespace Gateway;

/// <summary>Notes once a second how many replicas each model's work needs, so that what is wished for does not depend on who looks how often.</summary>
internal sealed class DemandBeat : IDisposable
{
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);

    private readonly GatewayCore _core;
    private readonly ITimer _timer;

    /// <param name="core">Whose models.</param>
    /// <param name="time">The clock.</param>
    public DemandBeat(GatewayCore core, TimeProvider time)
    {
        _core = core;
        _timer = time.CreateTimer(_ => Note(), null, Beat, Beat);
    }

    public void Dispose() => _timer.Dispose();

    private void Note()
    {
        foreach (var model in _core.Models)
        {
            DesiredReplicas.Note(model.Pool, Enum.GetValues<PriorityClass>().Sum(model.Dispatcher.Waiting), model.Demand);
        }
    }
}
