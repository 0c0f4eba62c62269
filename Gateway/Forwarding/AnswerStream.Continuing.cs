using System.Net.Http;
using Gateway.Forwarding.Answers;
using Gateway.Replicas;

namespace Gateway.Forwarding;

/// <summary>The stream of another attempt, which goes on where the one before broke.</summary>
/// <param name="Response">The engine's answer.</param>
/// <param name="Body">Its events.</param>
/// <param name="Reservation">The room in force from here on.</param>
/// <param name="Clock">The attempt's time.</param>
/// <param name="Frames">Makes its events look like those of the first stream.</param>
internal sealed record Continuation(HttpResponseMessage Response, Stream Body, LoadReservation Reservation, AttemptClock Clock, ContinuedFrames Frames);

internal sealed partial class AnswerStream
{
    private ContinuedFrames? _continued;
    private HttpResponseMessage? _second;
    private byte[]? _heldError;
    private bool _isFirstDue;

    /// <summary>What the client has, as long as the answer may be continued; null: a break is its end.</summary>
    public SentText? Sent { get; set; }

    /// <summary>Finds who goes on with a broken answer; null: nobody does.</summary>
    public Func<SentText, CancellationToken, ValueTask<Continuation?>>? Continue { get; init; }

    /// <summary>Tells whether the stream has to stop after this text, for <see cref="Continue"/> to go on with it later; null: never.</summary>
    public Func<SentText, bool>? MustStop { get; init; }

    // The stream can be handed over between two events. What was already read of the next event is dropped: the continuation writes it again.
    private bool StopsNow() =>
        _isPrimed && _arrival is null && Sent is { } sent && MustStop is not null && Continue is not null
        && !answer.IsComplete && !answer.IsBroken && !answer.HasFinished && !IsWholeButForSentinel && !clock.IsShutDown && !HasDiverged
        && !_isFirstDue && MustStop(sent);

    /// <summary>The engine's part is over: another one takes over, or the client is told how it ended.</summary>
    private async ValueTask EndAsync(string reason, CancellationToken cancellationToken)
    {
        if (await TryContinueAsync(cancellationToken))
        {
            return;
        }
        // Whoever left while somebody was looked for is told nothing, and nothing failed for them.
        cancellationToken.ThrowIfCancellationRequested();
        if (_heldError is { } error)
        {
            // No continuation: the client gets the engine's own error.
            (_heldError, _isEnded, answer.IsBroken) = (null, true, true);
            _output.CloseEvent();
            _output.Append(error);
            _output.CloseEvent();
            return;
        }
        End(reason);
    }

    private async ValueTask<bool> TryContinueAsync(CancellationToken cancellationToken)
    {
        if (!_isPrimed || Sent is not { } sent || Continue is null || answer.IsComplete || answer.IsBroken || IsWholeButForSentinel || clock.IsShutDown
            || HasDiverged)
        {
            return false;
        }
        ReturnInput();
        upstream.Dispose();
        if (await Continue(sent, cancellationToken) is not { } next)
        {
            Sent = null;
            return false;
        }
        _second?.Dispose();
        (_second, upstream, reservation, clock, _continued) = (next.Response, next.Body, next.Reservation, next.Clock, next.Frames);
        (_frames, _template, _heldError, _isFirstDue) = (new SseFrameReader(rules.MaxFrameBytes), new FrameTemplate(), null, true);
        _output.CloseEvent();
        answer.NoteContinuation();
        return true;
    }

    private bool HasDiverged => _continued is { HasDiverged: true };

    private bool MayHold(ReadOnlySpan<byte> payload) =>
        _isPrimed && Sent is not null && Continue is not null && !answer.IsBroken && !EngineErrorBody.Read(payload, 0).IsClientFault;

    private void TakeContinued(ReadOnlySpan<byte> payload, in AnswerFacts facts)
    {
        if (HasDiverged || _continued!.Rewrite(payload, facts) is not { } rewritten)
        {
            return;
        }
        // Line ends between JSON tokens would end the only data line of the event.
        rewritten.AsSpan().Replace((byte)'\n', (byte)' ');
        byte[] bytes = [.. "data: "u8, .. rewritten, .. "\n\n"u8];
        var frame = new SseFrame { Length = bytes.Length, DataLines = 1, DataStart = 6, DataEnd = bytes.Length - 2 };
        Pass(frame, bytes, rewritten, AnswerFrame.Read(rewritten));
    }
}
