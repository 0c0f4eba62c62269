using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Queueing.Orders;

/// <summary>γ-boost: arrival less a boost that is larger the less engine time the request is expected to take. Ageing is built in: the key does not move with time.</summary>
/// <remarks>
/// arXiv 2404.08826: boost = (1/γ)·ln(m/(m−1)) with m = E[exp(γS)] over the distribution of the service time S. The γ that is best for the tail solves an
/// equation that has no solution in overload, where the order matters most. Boosts differ by about 1/γ, and what a long request can lose without the tail
/// growing much goes by how long requests wait anyway: without a γ of its own the order takes the inverse of twice the mean wait of late. What counts then is
/// the boost beyond that of a usual request, so that keys given under different γ still compare.
/// </remarks>
public sealed class BoostOrder : IQueueOrder, IServiceAccount
{
    // Beyond e^50 the boost is 0 to the last digit.
    private const double MostExponent = 50;

    // Half of what is known is gone after about seventy requests.
    private const double Smoothing = 0.01;

    // At once the mean wait it cost the tail less and gained half as much (config/matrix/README.md).
    private const double BoostPerWait = 2;

    private const double LeastGamma = 0.002;

    // Where waits are short, so are queues: to favour short ones more costs nobody much then. With a most of 1 first tokens came 2 % later over whole traces.
    private const double MostGamma = 0.1;

    private readonly double? _gammaPerSecond;
    private double _meanWaitSeconds;
    private double? _usualLogSeconds;

    /// <param name="gammaPerSecond">γ, above 0: small acts like shortest first, large like first come. Null: it follows the waits.</param>
    public BoostOrder(double? gammaPerSecond) => _gammaPerSecond = gammaPerSecond;

    public string Name => "boost";

    /// <summary>γ in force, per second.</summary>
    internal double GammaPerSecond => _gammaPerSecond ?? Math.Clamp(1 / (BoostPerWait * _meanWaitSeconds), LeastGamma, MostGamma);

    public double Rank(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrival)
    {
        var usual = _gammaPerSecond is null && _usualLogSeconds is { } log ? Boost(Math.Exp(Math.Min(MostExponent, GammaPerSecond * Math.Exp(log)))) : 0;
        return arrival.TotalSeconds - (BoostSeconds(estimate) - usual);
    }

    public void OnEntered(InferenceRequest request, bool isFirst)
    {
    }

    public ServedTokens OnTurn(InferenceRequest request, in RequestEstimate estimate, int cachedTokens, TimeSpan waited)
    {
        _meanWaitSeconds += Smoothing * (waited.TotalSeconds - _meanWaitSeconds);
        // Of the logarithm, so that one long answer does not move it.
        var log = Math.Log(Math.Max(1e-3, ServiceTime.Seconds(estimate)));
        _usualLogSeconds = _usualLogSeconds is { } usual ? usual + (Smoothing * (log - usual)) : log;
        return default;
    }

    public void Charge(InferenceRequest request, in ServedTokens difference)
    {
    }

    internal double BoostSeconds(in RequestEstimate estimate)
    {
        var prefill = Math.Min(MostExponent, GammaPerSecond * estimate.UncachedTokens * ServiceTime.PrefillSecondsPerToken);
        var perToken = GammaPerSecond * ServiceTime.DecodeSecondsPerToken * estimate.Sequences;
        return Boost(Math.Exp(prefill) * estimate.Output.ExpectedExponential(perToken, MostExponent));
    }

    // A request of no length at all has an endless boost; a millionth above 1 keeps it finite.
    private double Boost(double moment) => double.LogP1(1 / (Math.Max(1 + 1e-6, moment) - 1)) / GammaPerSecond;
}
