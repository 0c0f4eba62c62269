using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Routing;

/// <summary>What is to be placed, and among what.</summary>
/// <param name="Request">The request.</param>
/// <param name="Estimate">What it is expected to cost.</param>
/// <param name="Traffic">What requests are like lately.</param>
public readonly record struct RoutingQuery(InferenceRequest Request, RequestEstimate Estimate, TrafficMeans Traffic);

/// <summary>Means over the pool's recent requests, and over its replicas now.</summary>
/// <param name="MeanPromptTokens">Tokens of a prompt.</param>
/// <param name="MeanOutputTokens">Expected tokens of an answer.</param>
/// <param name="HitShare">Share of prompt tokens that were believed to be cached where the prompt went.</param>
/// <param name="HitsLostPerToken">Prompt tokens that are found no more for each token more that full caches take in.</param>
/// <param name="RoomTaken">Share of the room that is reserved, 0 to 1, of replicas that have some for this request and whose room is known.</param>
/// <param name="MeanRunningSequences">Sequences that run at a replica that has room for this request.</param>
public readonly record struct TrafficMeans(
    double MeanPromptTokens, double MeanOutputTokens, double HitShare = 0, double HitsLostPerToken = 0, double RoomTaken = 0, double MeanRunningSequences = 0);

/// <summary>A replica as a place for one request.</summary>
// Fields, because scorers read the snapshot in place: a property would copy it at every look.
#pragma warning disable CA1051
public struct Candidate
{
    /// <summary>The replica at the moment of the choice.</summary>
    public ReplicaSnapshot Replica;

    /// <summary>Prompt tokens believed to be in its prefix cache, at most the prompt.</summary>
    public int PrefixHitTokens;

    /// <summary>Blocks of the prompt that they are, from the first on.</summary>
    public int PrefixHitBlocks;

    /// <summary>Whether it was sent anything that its prefix cache may still have, however long ago; told where any candidate holds a part of the prompt.</summary>
    public bool HoldsPrefixes;

    /// <summary>Seconds since its step in progress began, as far as can be heard.</summary>
    public double StepElapsedSeconds;

    /// <summary>Whether it answered the session's last request.</summary>
    public bool HoldsSession;

    /// <summary>How many times more its load counts than it is, because it came up lately; 0: no more.</summary>
    public double Coldness;

    /// <summary>Requests that wait for it although others have room.</summary>
    public int WaitingForIt;

    /// <summary>Number of the pool's choice that last fell on it; 0: never.</summary>
    public long LastChosen;

    /// <summary>Uncached prompt tokens given to it lately, fading with a time constant of three minutes.</summary>
    public double RecentPrefillTokens;

    /// <summary>Requests given to it lately, fading alike.</summary>
    public double RecentRequests;

    /// <summary>Seconds that both stand for: what they would count had there been one a second all the time; at most three minutes.</summary>
    public double RecentSeconds;
}
#pragma warning restore CA1051

/// <summary>Says what placing a request at each candidate costs. No side effects, so asking twice is harmless.</summary>
public interface IReplicaScorer
{
    /// <summary>Name in the configuration.</summary>
    string Name { get; }

    /// <param name="query">What is to be placed.</param>
    /// <param name="candidates">The places, at least one.</param>
    /// <param name="seconds">The caller's buffer, as long as the candidates: cost in seconds, finite, lower is better.</param>
    void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds);
}

/// <summary>A scorer and how much it counts.</summary>
public readonly record struct WeightedScorer(IReplicaScorer Scorer, double Weight);

/// <summary>What one scorer adds to a candidate's cost.</summary>
/// <param name="Scorer">Its name.</param>
/// <param name="Seconds">Its cost times its weight.</param>
public readonly record struct ScorePart(string Scorer, double Seconds);

/// <summary>How replicas are chosen; swapped whole on reload.</summary>
/// <param name="Scorers">Their weighted costs add up.</param>
public sealed record RoutingPlan(WeightedScorer[] Scorers)
{
    /// <summary>Whether the costs also tell what waiting for a full replica would cost, so that it may be worth it.</summary>
    public bool WaitsForFavourite { get; init; }

    /// <summary>Whether what a replica has cached does not matter to any of the scorers.</summary>
    public bool IgnoresPrefixes { get; init; }

    /// <summary>Whether where a session was last does not matter to any of the scorers.</summary>
    public bool IgnoresSessions { get; init; }
}
