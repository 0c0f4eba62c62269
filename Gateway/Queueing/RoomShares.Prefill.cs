using Gateway.Estimation;
using Gateway.Replicas;

namespace Gateway.Queueing;

/// <content>The engines' time for prompts: a flood of short answers takes much of it and holds next to no room.</content>
internal sealed partial class RoomShares
{
    private Speeds _speed;
    private double _prefill;
    private double _mostPrefill = double.PositiveInfinity;

    // Beyond an even share, while prompts of all take more of the engines' time than who floods may help to take. One request it may always have in flight.
    private bool IsBeyondPrefill(Client client, double added) =>
        client.Held.Prefill > 0 && (client.Held.Prefill + added) * _weights > client.Weight && _prefill + added > _mostPrefill;

    // The part of its time in flight that its prompt takes of an engine's: over all requests in flight these add up to the time that prompts take.
    private double PrefillShareOf(in RequestEstimate estimate)
    {
        var prompt = estimate.UncachedTokens * _speed.PromptToken;
        return prompt <= 0 ? 0 : prompt / (prompt + _speed.FirstToken + (estimate.Output.MeanTokens * _speed.OutputToken)) / _speed.Replicas;
    }

    /// <summary>Sums over replicas of their learned seconds: the ratio of two is that of their means.</summary>
    private readonly record struct Speeds(int Replicas, double FirstToken, double PromptToken, double OutputToken)
    {
        public Speeds With(in ReplicaSnapshot replica)
        {
            var rates = replica.Rates;
            return new(Replicas + 1, FirstToken + rates.FirstTokenSeconds, PromptToken + rates.PrefillSecondsPerToken, OutputToken + rates.DecodeSeconds(1, replica.RunningSequences));
        }
    }
}
