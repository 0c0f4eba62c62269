using System.Net.Http;
using Gateway.Forwarding.Answers;
using Gateway.Forwarding.Attempts;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <summary>Looks at an engine's answer before a byte of it goes to the client: passes it on, watched, or makes it a failure.</summary>
/// <param name="outgoing">The request.</param>
/// <param name="upstream">Its pool.</param>
/// <param name="answer">Where what goes by is noted.</param>
/// <param name="reservation">The attempt's room.</param>
/// <param name="clock">The attempt's time.</param>
/// <param name="continues">Finds who goes on with a stream that broke; null: nobody does.</param>
internal sealed class Reception(
    OutgoingRequest outgoing, UpstreamPool upstream, Answer answer, LoadReservation reservation, AttemptClock clock,
    Func<SentText, CancellationToken, Task<Continuation?>>? continues = null)
{
    private const string EventStream = "text/event-stream";

    private InferenceRequest Request => outgoing.Request;

    /// <summary>Whether the client gets an event stream.</summary>
    public bool IsEventStream { get; private set; }

    /// <summary>Whether it is one that another attempt could go on with.</summary>
    public bool MayContinue { get; private set; }

    /// <summary>Tells whether the stream has to stop after this text, for another attempt to go on; null: never.</summary>
    public Func<SentText, bool>? MustStop { get; init; }

    /// <summary>Called before the client sees the end of a stream; null: nobody waits for that.</summary>
    public Action? Completed { get; init; }

    /// <summary>The answer for the client, or why there is none.</summary>
    public async ValueTask<(HttpResponseMessage? Response, AttemptFailure? Failure)> ReceiveAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (!response.IsSuccessStatusCode)
        {
            using (response)
            {
                return (null, await FailureOfAsync(response));
            }
        }
        var body = await response.Content.ReadAsStreamAsync(clock.Token);
        var type = TypeOf(response);
        if (type == EventStream)
        {
            return await StreamAsync(response, body, cancellationToken);
        }
        return ExpectsJson(type)
            ? await PlainAsync(response, body)
            : PassUnread(response, body, type);
    }

    /// <summary>The rest of a stream that broke, or why there is none.</summary>
    public async ValueTask<(Stream? Body, AttemptFailure? Failure)> ReceiveRestAsync(HttpResponseMessage response)
    {
        if (!response.IsSuccessStatusCode)
        {
            return (null, await FailureOfAsync(response));
        }
        return TypeOf(response) == EventStream
            ? (await response.Content.ReadAsStreamAsync(clock.Token), null)
            : (null, new AttemptFailure(FailureKind.BrokenAnswer, (int)response.StatusCode));
    }

    private async ValueTask<(HttpResponseMessage? Response, AttemptFailure? Failure)> StreamAsync(
        HttpResponseMessage response, Stream body, CancellationToken cancellationToken)
    {
        var rules = new StreamRules(Request.Route, PublicModel(), StripsUsage: !Request.Body.WantsStreamUsage && HasUsageOption, Request.Id, (int)outgoing.Options.MaxFrameBytes)
        {
            Heartbeat = outgoing.Options.Heartbeat,
            Names = Names,
        };
        var stream = new AnswerStream(body, rules, answer, reservation, clock)
        {
            Sent = outgoing.Options.ContinueStreams && outgoing.Body.Rest is null && SentText.IsFor(Request) ? new SentText() : null,
            Continue = continues,
            MustStop = MustStop,
            Completed = Completed,
            OutOfTime = OutOfTime,
        };
        await stream.PrimeAsync(cancellationToken);
        if (stream.FailureAtStart is { } failure)
        {
            response.Dispose();
            stream.Dispose();
            return (null, failure);
        }
        (IsEventStream, MayContinue) = (true, stream.Sent is not null && continues is not null);
        response.Content = new PassedContent(stream, null, response.Content);
        return (response, null);
    }

    private StreamBreak? OutOfTime() =>
        !outgoing.HasNoTimeLeft(upstream.Time) ? null : outgoing.HasPassedDeadline(upstream.Time) ? StreamBreak.Deadline : StreamBreak.Timeout;

    private async ValueTask<(HttpResponseMessage? Response, AttemptFailure? Failure)> PlainAsync(HttpResponseMessage response, Stream body)
    {
        PlainAnswer.Beginning read;
        try
        {
            read = await PlainAnswer.ReadAsync(body, outgoing.Options.MaxBufferedBytes, clock.Token);
        }
        catch (Exception cut) when (cut is IOException or HttpRequestException)
        {
            response.Dispose();
            return (null, new AttemptFailure(FailureKind.BodyIncomplete, (int)response.StatusCode));
        }
        if (!read.IsWhole)
        {
            // A body larger than this is passed on without being read; its usage stays unknown.
            answer.NoteBeginning();
            response.Content = new PassedContent(new UnreadAnswer(read.Bytes, body, answer, clock), response.Content.Headers.ContentLength, response.Content);
            return (response, null);
        }
        var facts = AnswerBody.Read(read.Bytes);
        if (facts.Shape is not (AnswerShape.JsonObject or AnswerShape.JsonArray) || facts.IsFailureOf(Request.Route))
        {
            response.Dispose();
            return (null, BrokenOf(read.Bytes, facts, (int)response.StatusCode));
        }
        if (Request.Route.TakesSteps)
        {
            reservation.Replica.OnSign();
        }
        answer.Take(facts, null);
        answer.NoteWhole();
        // The engine is done, so its room is returned before the client sees the end: the next request must not find the replica still busy with this one.
        answer.Teach(reservation);
        reservation.Dispose();
        answer.NoteResponseId(Request.Route, read.Bytes);
        answer.NoteTool(facts, read.Bytes);
        var bytes = PlainAnswer.Rename(read.Bytes, facts, PublicModel());
        response.Content = new PassedContent(new MemoryStream(bytes, writable: false), bytes.Length, response.Content);
        body.Dispose();
        return (response, null);
    }

    // Audio and text formats of the speech routes: bytes that are passed on as they come.
    private (HttpResponseMessage? Response, AttemptFailure? Failure) PassUnread(HttpResponseMessage response, Stream body, string? type)
    {
        if (type == "text/html")
        {
            response.Dispose();
            return (null, new AttemptFailure(FailureKind.BrokenAnswer, (int)response.StatusCode));
        }
        answer.NoteBeginning();
        response.Content = new PassedContent(new UnreadAnswer([], body, answer, clock), response.Content.Headers.ContentLength, response.Content);
        return (response, null);
    }

    private async ValueTask<AttemptFailure> FailureOfAsync(HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        var retryAfter = PauseOf(response);
        EngineErrorBody error;
        try
        {
            var body = await response.Content.ReadAsStreamAsync(clock.Token);
            error = EngineErrorBody.Read((await PlainAnswer.ReadAsync(body, EngineErrorBody.MaxBodyBytes, clock.Token)).Bytes, status);
        }
        catch (Exception cut) when (cut is IOException or HttpRequestException)
        {
            error = EngineErrorBody.Read([], status);
        }
        return AttemptFailure.Of(KindOf(status, error, Request.Route), status, error.Naming(Names)) with { RetryAfter = retryAfter };
    }

    // Seconds, or a date as what stands in front of an engine may write, by the clock that wrote it where that is told. One that has passed asks for nothing.
    private TimeSpan? PauseOf(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } seconds } => seconds,
        { Date: { } date } when date - (response.Headers.Date ?? upstream.Time.GetUtcNow()) is var pause && pause > TimeSpan.Zero => pause,
        _ => null,
    };

    private static FailureKind KindOf(int status, EngineErrorBody error, ApiRoute route) => status switch
    {
        401 or 403 => FailureKind.Unauthorized,
        404 when IsAboutModel(error) => FailureKind.ModelMissing,
        404 or 405 when !SaysMore(error.Message) => FailureKind.EndpointMissing,
        // vLLM's and llama.cpp's word for an endpoint that the model or the engine's flags do not allow; of one that generates, vLLM's for a parameter.
        501 => route.Generates ? FailureKind.ClientFault : FailureKind.EndpointMissing,
        429 or 503 => FailureKind.EngineBusy,
        >= 500 when error.IsClientFault => FailureKind.ClientFault,
        >= 500 => FailureKind.EngineError,
        >= 400 => FailureKind.ClientFault,
        _ => FailureKind.BrokenAnswer,
    };

    // The gateway chose the name sent to the engine, so a model that the engine does not know is a fault of the pool and not of the client.
    // Only the beginning of the message is looked at: further on it may repeat words of the client.
    private static bool IsAboutModel(EngineErrorBody error) =>
        error.Code == "model_not_found"
        || ((error.Message.StartsWith("model ", StringComparison.OrdinalIgnoreCase) || error.Message.StartsWith("the model ", StringComparison.OrdinalIgnoreCase))
            && (error.Message.Contains("does not exist", StringComparison.OrdinalIgnoreCase) || error.Message.Contains("not found", StringComparison.OrdinalIgnoreCase)));

    // Frameworks say no more than the status line where the route itself is missing.
    private static bool SaysMore(string message) =>
        message.Length > 0
        && !message.Equals("Not Found", StringComparison.OrdinalIgnoreCase)
        && !message.Equals("File Not Found", StringComparison.OrdinalIgnoreCase)
        && !message.Equals("Method Not Allowed", StringComparison.OrdinalIgnoreCase)
        && !message.Contains("page not found", StringComparison.OrdinalIgnoreCase);

    private AttemptFailure BrokenOf(byte[] body, in AnswerFacts facts, int status) => facts.IsError
        ? AttemptFailure.InAnswer(status, EngineErrorBody.Read(body, status).Naming(Names))
        : new AttemptFailure(FailureKind.BrokenAnswer, status);

    // The media type without its parameters, which some engines write wrongly; null: there is none.
    private static string? TypeOf(HttpResponseMessage response) =>
        response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var types) ? types.ToString().Split(';')[0].Trim().ToLowerInvariant() : null;

    private bool ExpectsJson(string? type) => type is null or "application/json" || (Request.Route.Kind != ApiKind.Speech && !Request.Route.IsMultipart && type != "text/html");

    private bool HasUsageOption => Request.Route.Kind is ApiKind.ChatCompletions or ApiKind.Completions;

    private ModelNames Names => new(upstream.UpstreamModel, Request.Model);

    private byte[]? PublicModel() => upstream.UpstreamModel == Request.Model ? null : PlainAnswer.Quoted(Request.Model);
}
