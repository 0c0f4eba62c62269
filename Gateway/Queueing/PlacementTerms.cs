using Gateway.Replicas;

namespace Gateway.Queueing;

/// <summary>What stands between a request that asks for a place and the room that is free. The default: nothing.</summary>
/// <param name="Headroom">Share of each replica's room that it leaves free, 0 to 1.</param>
/// <param name="Kept">A replica whose room is kept for another request; null: none.</param>
/// <param name="RefusedAt">When it last found no room anywhere, by <see cref="Placer.RefusedAt"/>; 0: never.</param>
/// <param name="SiblingPatience">How long it may wait for another that computes the beginning of its prompt; zero or less: not at all.</param>
/// <param name="MayWait">Whether it may wait for a full replica that is better than those with room.</param>
internal readonly record struct PlacementTerms(double Headroom, Replica? Kept, long RefusedAt, TimeSpan SiblingPatience, bool MayWait);
