using System.Net.Sockets;
using Gateway.Configuration;
using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Gateway.Replicas.Engines.Adapters;
using Gateway.Replicas.Engines.Discovery;

namespace Gateway.Cli.Probes;

/// <summary>Asks every engine of a configuration once, by GET only: what <c>serve</c> would find.</summary>
/// <param name="access">How engines are reached.</param>
/// <param name="names">Resolves <c>dns</c> names.</param>
internal sealed class FleetProbe(EngineAccess access, INameResolver names)
{
    private const int AtOnce = 32;

    /// <summary>All replicas, in the order of the configuration; those that only a cluster's API knows are not among them.</summary>
    public async Task<IReadOnlyList<ProbedReplica>> AskAsync(GatewayOptions options, CancellationToken cancellationToken)
    {
        var places = new List<(ModelOptions Model, ReplicaPlace Place)>();
        foreach (var model in options.Models)
        {
            foreach (var place in await PlacesAsync(model, cancellationToken))
            {
                places.Add((model, place));
            }
        }
        var probed = new ProbedReplica[places.Count];
        await Parallel.ForAsync(0, places.Count, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (index, cancelled) =>
        {
            var (model, place) = places[index];
            probed[index] = await AskAsync(model, place, options.Resilience.Health.Timeout, cancelled);
        });
        return probed;
    }

    private async Task<IReadOnlyList<ReplicaPlace>> PlacesAsync(ModelOptions model, CancellationToken cancellationToken)
    {
        var lists = new ReplicaListReader();
        var listed = model.Discovery.File is { } file && lists.Read(file, out _) is { } text ? lists.Parse(text, file, out _) ?? [] : [];
        var whole = model with { Replicas = [.. model.Replicas, .. listed] };
        var places = new List<ReplicaPlace>();
        foreach (var replica in whole.Replicas)
        {
            places.AddRange(await PlacesAsync(model with { Replicas = [replica] }, replica, cancellationToken));
        }
        return [.. places.DistinctBy(place => place.Id)];
    }

    private async Task<IReadOnlyList<ReplicaPlace>> PlacesAsync(ModelOptions alone, ReplicaOptions replica, CancellationToken cancellationToken)
    {
        if (!ReplicaPlaces.IsResolved(replica))
        {
            return ReplicaPlaces.Of(alone);
        }
        try
        {
            var addresses = await names.ResolveAsync(replica.Dns!.Host, cancellationToken);
            // A name without addresses is probed under the name, so that the report has a line for it.
            return addresses.Count > 0 ? ReplicaPlaces.Of(alone, _ => addresses) : [new ReplicaPlace(replica.Id, replica.Dns, replica)];
        }
        catch (SocketException)
        {
            return [new ReplicaPlace(replica.Id, replica.Dns!, replica)];
        }
    }

    private async Task<ProbedReplica> AskAsync(ModelOptions model, ReplicaPlace place, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var client = access.ClientOf(place.Address, model, timeout);
        var configured = place.Options.Engine ?? model.Engine;
        var (detected, reading) = await EngineDetector.DetectAsync(client, cancellationToken);
        var probed = new ProbedReplica
        {
            Id = place.Id,
            Model = model,
            Options = place.Options,
            Detected = detected,
            Kind = configured == EngineKind.Auto ? detected : configured,
            Health = reading,
            HasKey = client.HasKey,
        };
        if (detected == EngineKind.Auto)
        {
            return probed;
        }
        var adapter = EngineAdapters.Of(probed.Kind);
        var health = await ReplicaWatcher.AskHealthAsync(client, adapter, cancellationToken);
        if (health.Outcome != ReadingOutcome.Read)
        {
            return probed with { Health = health };
        }
        var facts = await adapter.DescribeAsync(client, ReplicaWatcher.NamesOf(model), cancellationToken);
        return probed with
        {
            Health = health,
            Facts = facts,
            Load = await adapter.ReadLoadAsync(client, facts.Report, cancellationToken),
            ClockSkewSeconds = await SkewAsync(client, adapter.Traits.HealthPath, cancellationToken),
        };
    }

    // Half a second, because the engine tells whole ones; half the way there and back.
    private async Task<double?> SkewAsync(EngineClient client, string path, CancellationToken cancellationToken)
    {
        var before = access.Time.GetUtcNow();
        using var answer = await client.GetAsync(path, cancellationToken);
        var halfway = before + ((access.Time.GetUtcNow() - before) / 2);
        return answer.SentAt is { } told ? (told - halfway).TotalSeconds + 0.5 : null;
    }
}
