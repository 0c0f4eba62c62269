using Gateway.Coordination;
using Gateway.Queueing.Shadows;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Replay;

/// <summary>One gateway of a run: its core, its view of the engines, and what it exchanges with the others. Used by one run.</summary>
internal sealed class ReplayedGateway : IDisposable
{
    private readonly Coordinator? _coordinator;
    private readonly int[] _engineOf;

    /// <param name="core">Has one model.</param>
    /// <param name="shared">Its access to what is shared; null: it is alone.</param>
    /// <param name="time">The run's clock.</param>
    public ReplayedGateway(GatewayCore core, ISharedState? shared, VirtualTime time)
    {
        Core = core;
        Pool = core.Models[0];
        Pool.Pool.SetReplicas([.. core.Options.Models[0].Replicas.Select(replica => new ReplicaPlace(replica.Id, replica.Url!, replica))]);
        Views = Pool.Pool.ReplicaList;
        _engineOf = new int[Views.Count];
        for (var i = 0; i < Views.Count; i++)
        {
            _engineOf[Views[i].Slot] = i;
        }
        _coordinator = shared is null ? null : new Coordinator(shared, new RedisOptions(), () => core.SharedPools, () => core.Lengths, null, time);
    }

    public GatewayCore Core { get; }

    public ModelPool Pool { get; }

    /// <summary>Its replicas, in the order of the engines.</summary>
    public IReadOnlyList<Replica> Views { get; }

    /// <summary>Requests that wait in it.</summary>
    public int Waiting => Enum.GetValues<PriorityClass>().Sum(Pool.Dispatcher.Waiting);

    /// <summary>Which engine a reservation is at.</summary>
    public int EngineOf(LoadReservation reservation) => _engineOf[reservation.Replica.Slot];

    /// <summary>Tells and hears; in memory that is done at once.</summary>
    public void Exchange(CancellationToken cancellationToken) => _coordinator?.ExchangeNextAsync(cancellationToken).GetAwaiter().GetResult();

    public void Dispose() => Core.Dispose();
}
