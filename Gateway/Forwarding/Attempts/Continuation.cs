using System.Net.Http;
using Gateway.Forwarding.Answers;
using Gateway.Replicas;

namespace Gateway.Forwarding.Attempts;

/// <summary>The stream of another attempt, which goes on where the one before broke.</summary>
/// <param name="Response">The engine's answer.</param>
/// <param name="Body">Its events.</param>
/// <param name="Reservation">The room in force from here on.</param>
/// <param name="Clock">The attempt's time.</param>
/// <param name="Frames">Makes its events look like those of the first stream.</param>
internal sealed record Continuation(HttpResponseMessage Response, Stream Body, LoadReservation Reservation, AttemptClock Clock, ContinuedFrames Frames);
