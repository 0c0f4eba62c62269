using System.Collections.Frozen;
using Gateway.Configuration;
using Gateway.Coordination;
using Gateway.Estimation;
using Gateway.Learning;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway;

/// <summary>The core of one gateway, put together from options: what serves, what tests run and what replay runs. Thread-safe.</summary>
public sealed class GatewayCore : IDisposable
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly Random _chance;
    private FrozenDictionary<string, ModelPool> _byName = FrozenDictionary<string, ModelPool>.Empty;
    private ModelPool[] _models = [];
    private IOutputLengthEstimator _lengths;
    private GatewayOptions _options;

    private GatewayCore(GatewayOptions options, TimeProvider time, Random chance, ulong hashKey)
    {
        _options = options;
        _time = time;
        _chance = chance;
        _lengths = OutputLengthEstimators.Create(options.Estimation);
        Hasher = new PrefixHasher(hashKey);
        Ratio = new PromptTokenRatio();
        Fleet = new Fleet();
        Estimator = new RequestEstimator(Ratio, () => Volatile.Read(ref _lengths));
        Learner = new CompletionLearner(Fleet, Ratio, () => Volatile.Read(ref _lengths), time);
        Apply(options);
    }

    /// <summary>The options in force; one read per decision.</summary>
    public GatewayOptions Options => Volatile.Read(ref _options);

    public Fleet Fleet { get; }

    /// <summary>Hashes session keys and prompts, keyed.</summary>
    public PrefixHasher Hasher { get; }

    public PromptTokenRatio Ratio { get; }

    public RequestEstimator Estimator { get; }

    public CompletionLearner Learner { get; }

    /// <summary>Foresees the lengths of answers; another one after a reload that names another.</summary>
    public IOutputLengthEstimator Lengths => Volatile.Read(ref _lengths);

    /// <summary>Every pool with its queue, in the order of the configuration.</summary>
    public IReadOnlyList<ModelPool> Models => Volatile.Read(ref _models);

    /// <summary>What other gateways may share of each pool.</summary>
    public IReadOnlyList<SharedPool> SharedPools => [.. Models.Select(model => new SharedPool(model.Pool, model.Prefixes))];

    /// <param name="options">Checked options.</param>
    /// <param name="time">The clock: real, manual or virtual.</param>
    /// <param name="chance">Seeds every draw; used only while pools are made.</param>
    /// <param name="hashKey">Key of the prompt hashes: secret where clients are strangers, the same in every run that is to be repeated.</param>
    public static GatewayCore Create(GatewayOptions options, TimeProvider time, Random chance, ulong hashKey) => new(options, time, chance, hashKey);

    /// <summary>The pool of a model name or alias; null: no such model.</summary>
    public ModelPool? Find(string model) => Volatile.Read(ref _byName).GetValueOrDefault(model);

    /// <summary>The models that may stand in for one, in this order.</summary>
    /// <param name="model">The one that was asked.</param>
    /// <param name="mayUse">Whether whoever asks may use a model of this name.</param>
    public IReadOnlyList<ModelPool> FallbacksOf(ModelPool model, Func<string, bool> mayUse) => model.Pool.Options.Fallbacks.Count == 0
        ? []
        : [.. model.Pool.Options.Fallbacks.Where(mayUse).Select(Find).OfType<ModelPool>()];

    /// <summary>What a request will cost at a pool.</summary>
    public RequestEstimate Estimate(InferenceRequest request, Pool pool) =>
        Estimator.Estimate(request, pool.Name, pool.Options.BytesPerToken, pool.ContextTokens);

    /// <summary>Takes over new options: pools that stay keep their replicas' load, their queue and what was learned.</summary>
    /// <returns>The pools that left; the caller disposes them when their requests have ended.</returns>
    public IReadOnlyList<ModelPool> Apply(GatewayOptions options)
    {
        lock (_gate)
        {
            // Only another estimator is made anew. Its other settings wait for a restart, so that a reload does not throw away what was learned.
            if (options.Estimation.Estimator != _options.Estimation.Estimator)
            {
                Volatile.Write(ref _lengths, OutputLengthEstimators.Create(options.Estimation));
            }
            Volatile.Write(ref _options, options);
            var faults = new FaultLimits(options.Resilience.FailuresToOpen, options.Resilience.OpenDuration);
            var leaving = _models.ToDictionary(model => model.Pool.Name, StringComparer.Ordinal);
            var next = new List<ModelPool>();
            foreach (var model in options.InForce().Models)
            {
                if (!leaving.Remove(model.Name, out var pool))
                {
                    pool = new ModelPool(model, faults, options, _time, new Random(_chance.Next()));
                }
                pool.Apply(model, faults, options);
                next.Add(pool);
            }
            Volatile.Write(ref _models, [.. next]);
            Volatile.Write(ref _byName, ByName(next));
            Fleet.SetPools([.. next.Select(model => model.Pool)]);
            return [.. leaving.Values];
        }
    }

    public void Dispose()
    {
        foreach (var model in Models)
        {
            model.Dispose();
        }
    }

    private static FrozenDictionary<string, ModelPool> ByName(List<ModelPool> models)
    {
        var names = models.SelectMany(model => model.Pool.Options.Aliases.Prepend(model.Pool.Name).Select(name => (name, model)));
        return names.ToFrozenDictionary(pair => pair.name, pair => pair.model, StringComparer.Ordinal);
    }
}
