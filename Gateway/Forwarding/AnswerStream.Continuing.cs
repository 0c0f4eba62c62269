using Gateway.Forwarding.Answers;
using Gateway.Forwarding.Attempts;

namespace Gateway.Forwarding;

/// <content>The seam between two attempts at one answer.</content>
internal sealed partial class AnswerStream
{
    private Continuation? _continuation;

    // The engine's own last word, kept back while somebody may go on instead.
    private byte[]? _heldError;

    // The limit for the first byte applies again.
    private bool _awaitsContinuation;

    // Who looks for somebody to go on, and why; null: nobody needs to.
    private Task<Continuation?>? _search;
    private StreamBreak _searchedFor;

    /// <summary>What the client has, as long as the answer may be continued; null: a break is its end.</summary>
    public SentText? Sent { get; set; }

    /// <summary>Finds who goes on with a broken answer; null: nobody does.</summary>
    public Func<SentText, CancellationToken, Task<Continuation?>>? Continue { get; init; }

    /// <summary>Tells whether the stream has to stop after this text, for <see cref="Continue"/> to go on with it later; null: never.</summary>
    public Func<SentText, bool>? MustStop { get; init; }

    /// <summary>Tells whether the request's time ended while somebody was looked for, and which of its limits that was; null: nobody asks.</summary>
    public Func<StreamBreak?>? OutOfTime { get; init; }

    private bool IsContinuable =>
        _isPrimed && Sent is not null && Continue is not null && !answer.IsComplete && !answer.IsBroken && !IsWholeButForSentinel && !clock.IsShutDown && !HasDiverged;

    // The stream can be handed over between two events. What was already read of the next event is dropped: the continuation writes it again.
    private bool StopsNow() => MustStop is not null && _arrival is null && !_awaitsContinuation && !answer.HasFinished && IsContinuable && MustStop(Sent!);

    /// <summary>The engine's part is over: another one takes over, or the client is told how it ended.</summary>
    private async ValueTask EndAsync(StreamBreak why, CancellationToken cancellationToken)
    {
        BeginSearch(why, cancellationToken);
        if (await IsSearchingAsync())
        {
            _output.Append(rules.Heartbeat.BeatOf(rules.Route));
            return;
        }
        if (await TryContinueAsync())
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
        End(OutOfTime?.Invoke() ?? why);
    }

    private void BeginSearch(StreamBreak why, CancellationToken cancellationToken)
    {
        if (_search is null && IsContinuable)
        {
            _input.Dispose();
            upstream.Dispose();
            _output.CloseEvent();
            _searchedFor = why;
            _search = Continue!(Sent!, cancellationToken);
        }
    }

    // The turn of a stream that gave up its place may be minutes away, and so may the first byte of whoever goes on.
    private async ValueTask<bool> IsSearchingAsync() =>
        _search is not null && rules.Heartbeat.IsOn && await clock.IsOutlastedAsync(_search, rules.Heartbeat.Interval);

    private async ValueTask<bool> TryContinueAsync()
    {
        if (_search is not { } search)
        {
            return false;
        }
        _search = null;
        if (await search is not { } next)
        {
            Sent = null;
            return false;
        }
        _continuation?.Response.Dispose();
        (_continuation, upstream, reservation, clock) = (next, next.Body, next.Reservation, next.Clock);
        (_input, _template, _heldError, _awaitsContinuation) = (new FrameInput(rules.MaxFrameBytes), new FrameTemplate(), null, true);
        answer.NoteContinuation();
        return true;
    }

    // Nobody reads any more, so what is found now is not taken over; the exchange gives its place back.
    private static async Task DropAsync(Task<Continuation?> search)
    {
        if (await search is { } late)
        {
            late.Response.Dispose();
        }
    }

    private bool HasDiverged => _continuation is { Frames.HasDiverged: true };

    private bool MayHold(ReadOnlySpan<byte> payload) =>
        _isPrimed && Sent is not null && Continue is not null && !answer.IsBroken && !EngineErrorBody.Read(payload, 0).IsClientFault;

    private void TakeContinued(ReadOnlySpan<byte> payload, in AnswerFacts facts)
    {
        if (HasDiverged || _continuation!.Frames.Rewrite(payload, facts) is not { } rewritten)
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
