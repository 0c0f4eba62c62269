using Gateway.Forwarding.Answers;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <summary>What the watcher may change in a stream that passes.</summary>
/// <param name="Route">Decides the form of a terminal error.</param>
/// <param name="PublicModel">The name to show in place of the engine's, as quoted JSON; null: as the engine wrote it.</param>
/// <param name="StripsUsage">Whether the usage event is the gateway's own wish and stays here.</param>
/// <param name="RequestId">Named by a terminal error.</param>
/// <param name="MaxFrameBytes">Longest event that is read; a longer one is passed on unread.</param>
internal sealed record StreamRules(ApiRoute Route, byte[]? PublicModel, bool StripsUsage, string RequestId, int MaxFrameBytes)
{
    /// <summary>Fills the silence between events; off unless it has an interval.</summary>
    public HeartbeatOptions Heartbeat { get; init; } = new();

    /// <summary>The model's names, for the engine's words within the stream.</summary>
    public ModelNames Names { get; init; }
}
