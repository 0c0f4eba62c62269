using System.Net.Http;
using Gateway.Forwarding.Answers;
using Gateway.Forwarding.Attempts;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <summary>Passes an engine's event stream on, whole events as they arrive, and watches them go by. Never faults: a broken stream ends with the API's own error event.</summary>
/// <remarks>Read by one thread. Holds no buffer while nothing comes, so an idle stream costs little memory.</remarks>
internal sealed partial class AnswerStream(Stream upstream, StreamRules rules, Answer answer, LoadReservation reservation, AttemptClock clock) : ForwardOnlyStream
{
    private readonly FrameOutput _output = new(rules);
    private FrameInput _input = new(rules.MaxFrameBytes);
    private FrameTemplate _template = new();
    private bool _isEnded;
    private bool _sawDone;
    private EventType _unread;
    private int _nextNumber;
    private bool _isPrimed;
    private Task? _arrival;

    /// <summary>Why the stream failed before its first event; null: it has begun, and what was sent cannot be taken back.</summary>
    public AttemptFailure? FailureAtStart { get; private set; }

    /// <summary>Called once, when the answer is complete and the client has not yet read its end; null: nobody needs to know.</summary>
    public Action? Completed { get; set; }

    /// <summary>Reads until the first event is there, so that an error at the very beginning can still become a status or another attempt.</summary>
    public async ValueTask PrimeAsync(CancellationToken cancellationToken)
    {
        while (!_isEnded && _output.IsEmpty && FailureAtStart is null)
        {
            await FillAsync(cancellationToken);
        }
        _isPrimed = true;
        clock.Pause();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_output.IsEmpty && !_isEnded)
        {
            await FillAsync(cancellationToken);
        }
        if (answer.IsComplete)
        {
            Completed?.Invoke();
            Completed = null;
        }
        // An empty buffer asks only whether there is something to read, so that the caller can rent its own late.
        return _output.Take(buffer.Span);
    }

    protected override void Dispose(bool disposing)
    {
        _input.Dispose();
        _output.Dispose();
        upstream.Dispose();
        _continuation?.Response.Dispose();
        if (_search is { } search)
        {
            _search = null;
            _ = DropAsync(search);
        }
        base.Dispose(disposing);
    }

    private async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        if (_search is not null)
        {
            await EndAsync(_searchedFor, cancellationToken);
            return;
        }
        if (StopsNow())
        {
            await EndAsync(StreamBreak.Preempted, cancellationToken);
            return;
        }
        int read;
        try
        {
            // Engines may send headers long before the prompt is computed: until the first event the limit for the first byte applies.
            if (_isPrimed && !_awaitsContinuation && _arrival is null)
            {
                clock.AwaitNext(answer.IsComplete || IsWholeButForSentinel);
            }
            if (_input.IsEmpty)
            {
                // Waits without a buffer: most of a stream's life is waiting.
                _input.Dispose();
                if (!await HasArrivedAsync())
                {
                    _output.Append(rules.Heartbeat.BeatOf(rules.Route));
                    return;
                }
            }
            read = await upstream.ReadAsync(_input.Room(), clock.Token);
        }
        catch (Exception broken) when (broken is OperationCanceledException or IOException or HttpRequestException or ObjectDisposedException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _arrival = null;
            await EndAsync(BreakOfClock() ?? StreamBreak.Broken, cancellationToken);
            return;
        }
        if (_isPrimed)
        {
            // Time that the client took to read is not counted as silence of the engine.
            clock.Pause();
        }
        _input.Fill(read);
        _awaitsContinuation = false;
        answer.NoteArrival();
        reservation.Replica.OnSign();
        TakeFrames(isEnd: read == 0);
        if (read == 0 || _heldError is not null || HasDiverged)
        {
            await EndAsync(StreamBreak.Truncated, cancellationToken);
        }
    }

    /// <summary>Waits for bytes; false: it is time for a beat first. The wait itself goes on.</summary>
    private async ValueTask<bool> HasArrivedAsync()
    {
        if (!_isPrimed || !rules.Heartbeat.IsOn || !_output.IsBetweenEvents)
        {
            _ = await upstream.ReadAsync(Memory<byte>.Empty, clock.Token);
            return true;
        }
        _arrival ??= upstream.ReadAsync(Memory<byte>.Empty, clock.Token).AsTask();
        if (await clock.IsPendingAfterAsync(_arrival, rules.Heartbeat.Interval))
        {
            return false;
        }
        var arrived = _arrival;
        _arrival = null;
        await arrived;
        return true;
    }

    private void TakeFrames(bool isEnd)
    {
        while (_input.Read(isEnd, out var frame, out var bytes) is var outcome && outcome != SseRead.NeedMore)
        {
            if (outcome == SseRead.Oversized)
            {
                PassUnread(bytes);
            }
            else
            {
                TakeFrame(frame, bytes);
            }
            _input.Skip(frame);
            if (_input.IsEmpty || _heldError is not null || HasDiverged)
            {
                return;
            }
        }
    }

    // The last event of a response repeats all of it. It is known by its name, and ends the answer once the whole of it is here.
    private void PassUnread(ReadOnlySpan<byte> piece)
    {
        Sent?.Lose();
        _unread = _output.IsBetweenEvents ? AnswerFrame.NamedType(piece) : _unread;
        _output.Append(piece);
        if (_output.IsBetweenEvents && !EndsWithSentinel)
        {
            answer.IsBroken |= _unread == EventType.Failed;
            answer.IsComplete |= _unread is EventType.End or EventType.Failed;
        }
    }

    private void TakeFrame(in SseFrame frame, ReadOnlySpan<byte> bytes)
    {
        var scratch = frame.DataLines > 1 ? new byte[bytes.Length] : [];
        var payload = frame.Payload(bytes, scratch);
        if (!_template.TryRead(payload, out var facts))
        {
            facts = AnswerFrame.Read(frame, payload);
            _template.Learn(payload, facts);
        }
        if (_continuation is not null && facts.Shape == AnswerShape.JsonObject && !facts.IsError)
        {
            TakeContinued(payload, facts);
            return;
        }
        switch (facts.Shape)
        {
            case AnswerShape.Malformed:
                // Malformed JSON is dropped: the client's parser would throw and lose the rest of the answer.
                answer.MalformedFrames++;
                return;
            case AnswerShape.Empty when bytes[^1] is not ((byte)'\n' or (byte)'\r'):
                // The stream ended in the middle of an event.
                return;
            case AnswerShape.Done:
                _continuation?.Frames.NoteEnd();
                if (HasDiverged)
                {
                    return;
                }
                answer.IsComplete = true;
                if (!_sawDone)
                {
                    _output.Append(bytes);
                }
                _sawDone = true;
                return;
        }
        var isFailure = facts.IsFailureOf(rules.Route);
        if (isFailure && MayHold(payload))
        {
            _heldError = ErrorEvent(payload);
            return;
        }
        if (isFailure)
        {
            NoteError(payload);
        }
        if (isFailure && (EndsWithSentinel || !facts.IsErrorEvent))
        {
            _output.CloseEvent();
            _output.Append(ErrorEvent(payload));
            return;
        }
        Pass(frame, bytes, payload, facts);
    }

    // Errors are rewritten in the API's form: in the engine's own, client libraries would take one for an event without content.
    private byte[] ErrorEvent(ReadOnlySpan<byte> payload) =>
        ErrorBody.WriteStreamEnd(rules.Route, WireError.Of(EngineErrorBody.Read(payload, 0).Naming(rules.Names)), rules.RequestId, _nextNumber);

    private void Pass(in SseFrame frame, ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> payload, in AnswerFacts facts)
    {
        answer.Take(facts, reservation);
        answer.NoteResponseId(rules.Route, payload);
        answer.NoteTool(facts, payload);
        _nextNumber = facts.SequenceNumber + 1 ?? _nextNumber;
        Sent?.Take(payload, facts);
        if (facts.IsTerminal && !EndsWithSentinel)
        {
            answer.IsComplete = true;
        }
        _output.Append(frame, bytes, facts);
    }

    private void NoteError(ReadOnlySpan<byte> payload)
    {
        answer.IsBroken = true;
        if (_isPrimed || !_output.IsEmpty)
        {
            return;
        }
        FailureAtStart ??= AttemptFailure.InAnswer(status: 0, EngineErrorBody.Read(payload, 0).Naming(rules.Names));
    }

    // Chat and text completions end with [DONE]; the other APIs with their own last event.
    private bool EndsWithSentinel => rules.Route.Kind is ApiKind.ChatCompletions or ApiKind.Completions;

    private bool IsWholeButForSentinel =>
        EndsWithSentinel && (_sawDone || answer.HasFinished) && answer.Finish != FinishKind.None && !answer.IsBroken;

    private void End(StreamBreak why)
    {
        _isEnded = true;
        _input.Dispose();
        _output.CloseEvent();
        // The answer is complete and only [DONE] is missing. Clients wait for it, so it is added.
        if (IsWholeButForSentinel)
        {
            answer.IsComplete = true;
            if (!_sawDone)
            {
                _output.Append("data: [DONE]\n\n"u8);
            }
            return;
        }
        if (answer.IsComplete || answer.IsBroken)
        {
            return;
        }
        answer.IsBroken = true;
        if (!_isPrimed && _output.IsEmpty)
        {
            FailureAtStart ??= new AttemptFailure(
                clock.FoundHung ? FailureKind.Hung
                : clock.HasPassedDeadline ? FailureKind.DeadlineExceeded
                : clock.HasExpired ? FailureKind.Timeout
                : clock.IsShutDown ? FailureKind.ShuttingDown
                : FailureKind.BodyIncomplete);
            return;
        }
        answer.IsCutByStop = why == StreamBreak.Shutdown;
        _output.Append(ErrorBody.WriteStreamEnd(rules.Route, StreamBreaks.ErrorOf(why), rules.RequestId, _nextNumber));
    }

    private StreamBreak? BreakOfClock() =>
        clock.HasPassedDeadline ? StreamBreak.Deadline : clock.HasExpired ? StreamBreak.Timeout : clock.IsShutDown ? StreamBreak.Shutdown : null;
}
