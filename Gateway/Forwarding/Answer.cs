using Gateway.Estimation;
using Gateway.Forwarding.Answers;
using Gateway.Learning;
using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <summary>Hears each gap between tokens of a stream. Quick, never throws.</summary>
public interface ITokenObserver
{
    /// <param name="model">The pool's name.</param>
    /// <param name="seconds">Time since the token before.</param>
    void OnTokenGap(string model, double seconds);
}

/// <summary>What is known of one answer while and after it goes by. Written by the one thread that carries the answer.</summary>
public sealed class Answer(string model, RequestEstimate estimate, ITokenObserver? tokens, TimeProvider time)
{
    private long? _lastTokenAt;
    private long? _arrivedAt;
    private bool _isFirstOfArrival = true;
    private int _reportedTokens;
    private int _finishedChoices;
    private int _earlierTokens;
    private bool _isFirstDue = true;

    /// <summary>Hears, every few tokens, how many there are; null: nobody does.</summary>
    public Action<int>? Streamed { get; init; }

    /// <summary>When the first token, or the whole answer, came; null: none yet.</summary>
    public long? FirstTokenAt { get; private set; }

    /// <summary>When the last token came; null: none yet.</summary>
    public long? LastTokenAt => _lastTokenAt;

    /// <summary>Output tokens counted from the stream, over all sequences.</summary>
    public int CountedTokens { get; private set; }

    public AnswerUsage Usage { get; private set; }

    public FinishKind Finish { get; private set; }

    /// <summary>Whether every sequence that was asked for said that it came to its end.</summary>
    public bool HasFinished => _finishedChoices >= estimate.Sequences;

    /// <summary>Whether the answer came to its own end.</summary>
    public bool IsComplete { get; set; }

    /// <summary>Whether the engine reported an error in the stream, or the stream broke.</summary>
    public bool IsBroken { get; set; }

    public int MalformedFrames { get; set; }

    /// <summary>Whether it is broken because the gateway stopped, not the engine.</summary>
    public bool IsCutByStop { get; set; }

    /// <summary>How often another attempt went on with it after its stream had broken or had to wait.</summary>
    public int Continuations { get; private set; }

    /// <summary>The id of a response that the engine may have stored; null: none.</summary>
    public string? ResponseId { get; private set; }

    /// <summary>The name of the first tool that it calls; null: none, or none that could be found.</summary>
    public byte[]? ToolName { get; private set; }

    /// <summary>Output tokens as best known. What was reported in an answer that is not at its end may be from its beginning.</summary>
    public int OutputTokens => IsComplete ? Usage.OutputTokens ?? CountedTokens : Math.Max(Usage.OutputTokens ?? 0, CountedTokens);

    /// <summary>Output tokens that the client is charged for. What goes on in the background after its request is charged as it was expected: reading it later is free.</summary>
    public long ChargedTokens(InferenceRequest request) => request.Body.IsBackground && Usage.OutputTokens is null
        ? Math.Max(OutputTokens, (long)Math.Ceiling(estimate.OutputTokens))
        : OutputTokens;

    public TokenUsage? ReportedUsage => Usage.IsReported
        ? new TokenUsage(Usage.PromptTokens, Usage.OutputTokens, Usage.CachedTokens, Usage.ReasoningTokens)
        : null;

    /// <summary>Bytes came in: the events in them came at this moment, and there is no gap between them.</summary>
    public void NoteArrival() => (_arrivedAt, _isFirstOfArrival) = (time.GetTimestamp(), true);

    /// <summary>Another attempt goes on with the answer from here; its reservation starts at no token.</summary>
    public void NoteContinuation() => (Continuations, _isFirstDue, _earlierTokens, _reportedTokens) = (Continuations + 1, true, CountedTokens, CountedTokens);

    /// <summary>Takes in one event of a stream, or a whole plain answer.</summary>
    public void Take(in AnswerFacts facts, LoadReservation? reservation)
    {
        Usage = facts.Usage.Over(Usage);
        if (facts.Finish != FinishKind.None)
        {
            Finish = facts.Finish;
            _finishedChoices += Math.Max(1, facts.FinishedChoices);
        }
        if (!facts.HasContent)
        {
            return;
        }
        CountedTokens = facts.Usage.OutputTokens ?? CountedTokens + facts.TokenGuess;
        NoteTime(reservation);
        if (reservation is not null && CountedTokens - _reportedTokens >= LoadReservation.ProgressTokens)
        {
            Report(reservation);
        }
    }

    /// <summary>The whole answer is here: the prompt is computed and nothing remains.</summary>
    public void NoteWhole()
    {
        NoteBeginning();
        IsComplete = true;
    }

    /// <summary>The first byte of an answer that is passed on unread is here.</summary>
    public void NoteBeginning() => FirstTokenAt ??= time.GetTimestamp();

    /// <summary>Looks for the id under which the engine stores a response.</summary>
    public void NoteResponseId(ApiRoute route, ReadOnlySpan<byte> json)
    {
        if (route.Kind == ApiKind.Responses && ResponseId is null)
        {
            ResponseId = StoredResponseId.Find(json);
        }
    }

    /// <summary>Keeps the name of the first tool that is called.</summary>
    public void NoteTool(in AnswerFacts facts, ReadOnlySpan<byte> json)
    {
        if (ToolName is null && facts.ToolName is { } name)
        {
            ToolName = json[name].ToArray();
        }
    }

    /// <summary>The answer is whole: the replica learns how long its tokens took.</summary>
    public void Teach(LoadReservation reservation)
    {
        // A continued answer is not learned from: its times belong to two replicas.
        if (OutputTokens > 0 && Continuations == 0)
        {
            reservation.OnAnswered(new ServedAnswer(OutputTokens, Usage.PromptTokens, Usage.CachedTokens, LastTokenAt ?? time.GetTimestamp()));
        }
    }

    private void NoteTime(LoadReservation? reservation)
    {
        if (!_isFirstOfArrival)
        {
            return;
        }
        var now = _arrivedAt ?? time.GetTimestamp();
        _isFirstOfArrival = _arrivedAt is null;
        if (_lastTokenAt is { } last)
        {
            tokens?.OnTokenGap(model, time.GetElapsedTime(last, now).TotalSeconds);
        }
        FirstTokenAt ??= now;
        if (_isFirstDue)
        {
            _isFirstDue = false;
            reservation?.OnFirstToken();
        }
        _lastTokenAt = now;
    }

    private void Report(LoadReservation reservation)
    {
        _reportedTokens = CountedTokens;
        var perSequence = CountedTokens / estimate.Sequences;
        Streamed?.Invoke(CountedTokens);
        reservation.OnProgress(CountedTokens - _earlierTokens, estimate.Output.RemainingTokens(perSequence) * estimate.Sequences);
    }
}
