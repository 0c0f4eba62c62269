using System.Collections.Concurrent;
using Gateway.Access;
using Gateway.Api;
using Gateway.Configuration;
using Gateway.Estimation;
using Gateway.Forwarding;
using Gateway.Forwarding.Answers;
using Gateway.Forwarding.Attempts;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway;

/// <summary>The whole life of a request: identify, understand, estimate, limit, wait for a turn, forward, learn. Thread-safe; one for the process.</summary>
public sealed class GatewayPath(
    GatewayCore core, Doorkeeper door, RequestReader reader, UpstreamPools upstreams, IHttpForwarder forwarder, Func<GatewayOptions> options,
    IReadOnlyList<ICompletionObserver> observers, Action<string, AdmissionResult> decided, TimeProvider time)
{
    // The exchange has time limits of its own; YARP's must never be the one that cuts a long answer.
    private static readonly ForwarderRequestConfig NoTimeout = new() { ActivityTimeout = TimeSpan.FromDays(8) };

    private readonly ConcurrentDictionary<string, byte> _idsUnderWay = new();

    /// <summary>Those who are shown every decision; null: nobody looks on.</summary>
    public Onlookers? Onlookers { get; init; }

    /// <summary>Whether the gateway was asked to stop.</summary>
    public Func<bool> IsStopping { get; init; } = static () => false;

    /// <summary>Serves one request of a route from the allow-list.</summary>
    public async Task InvokeAsync(HttpContext http, ApiRoute route)
    {
        var visit = new Visit(http, route, time);
        visit.SharesId = !_idsUnderWay.TryAdd(visit.RequestId, 0);
        try
        {
            await ServeAsync(visit);
        }
        catch (Exception ended) when (ended is IOException || (ended is OperationCanceledException && http.RequestAborted.IsCancellationRequested))
        {
            visit.ClientLeft();
        }
        catch
        {
            // A mistake of ours: the client is told, the request counted, and the host logs it.
            await visit.RefuseAsync(OutcomeMap.InternalError());
            throw;
        }
        finally
        {
            visit.Dispose();
            if (!visit.SharesId)
            {
                _idsUnderWay.TryRemove(visit.RequestId, out _);
            }
            var completed = visit.Complete(options().Telemetry.Tenants);
            foreach (var observer in observers)
            {
                observer.OnCompleted(completed);
            }
            visit.Trace?.End(completed);
            visit.Forget();
        }
    }

    private async Task ServeAsync(Visit visit)
    {
        // 1. Who asks, and what?
        if (door.Identify(visit.Http.Request.Headers, out var stranger) is not { } caller)
        {
            await visit.RefuseAsync(stranger!);
            return;
        }
        visit.Identified(caller);
        var read = await reader.ReadAsync(visit.Http, visit.Route, visit.RequestId, visit.ArrivedAt, caller.Tenant?.Key ?? 0);
        if (read is not { Request: { } request, Body: { } body })
        {
            await visit.RefuseAsync(read.Problem!);
            return;
        }
        request = caller.Own(request, visit.Http.Request.Headers);
        visit.Understood(request, body, read.Upload);
        var isStored = visit.Route.IsRead;
        if ((isStored ? Pinning.Holder(core.Models, request) : core.Find(request.Model)) is not { } model)
        {
            await visit.RefuseAsync(isStored ? OutcomeMap.UnknownResponse() : OutcomeMap.UnknownModel(request.Model));
            return;
        }
        if (Forbidden(caller, request, isStored) is { } forbidden)
        {
            await visit.RefuseAsync(forbidden);
            return;
        }

        if (Pinning.Continuing(core, model, caller, request) is not { } holder)
        {
            await visit.RefuseAsync(OutcomeMap.UnknownResponse("previous_response_id"));
            return;
        }
        if (isStored || holder != model)
        {
            // The request named only a stored id, or a fallback model made that response: from here on it carries the name of the model that holds it.
            request = request with { Model = holder.Pool.Name };
        }

        await ServeByAsync(visit, holder, caller, request, body);
    }

    /// <summary>Asks the model, then those that may stand in for it; what went wrong first is what the client is told.</summary>
    private async Task ServeByAsync(Visit visit, ModelPool asked, Caller caller, InferenceRequest request, RequestBytes body)
    {
        var others = Miss.MayMove(request) ? core.FallbacksOf(asked, caller.MayUse) : [];
        var first = await AskAsync(visit, asked, caller, request, body, isFirst: true, hasNext: others.Count > 0);
        var last = first;
        for (var i = 0; last is { AllowsFallback: true } && i < others.Count && !visit.Http.RequestAborted.IsCancellationRequested; i++)
        {
            // The answer names the model that gave it, whatever name was asked for.
            var moved = request with { Model = others[i].Pool.Name };
            last = await AskAsync(visit, others[i], caller, moved, body, isFirst: false, hasNext: i + 1 < others.Count);
        }
        if (first is null || last is null)
        {
            return;
        }
        visit.Estimated(asked.Pool.Name, core.Estimate(request, asked.Pool));
        await visit.RefuseAsync(first.Problem);
    }

    // A reload may rename the model that a request waits for; its client asked for a name.
    private async Task<Miss?> AskAsync(Visit visit, ModelPool model, Caller caller, InferenceRequest request, RequestBytes body, bool isFirst, bool hasNext)
    {
        var miss = await TryAsync(visit, model, caller, request, body, isFirst, hasNext);
        while (miss is { HasLeft: true } && core.Find(request.Model) is { } successor)
        {
            miss = await TryAsync(visit, successor, caller, request, body, isFirst: false, hasNext);
        }
        return miss;
    }

    /// <summary>One model's try at a request; null: it was served, or its client is gone.</summary>
    private async Task<Miss?> TryAsync(Visit visit, ModelPool model, Caller caller, InferenceRequest request, RequestBytes body, bool isFirst, bool hasNext)
    {
        // 2. How much work is it?
        var estimate = core.Estimate(request, model.Pool);
        visit.Estimated(model.Pool.Name, estimate);
        if (await RefusedAtOnceAsync(visit, model, caller, request, estimate, isFirst, hasNext) is { } refused)
        {
            return refused;
        }

        // 3. Whose turn is it, and where? The replica comes with its room.
        var constraints = Pinning.Of(request, model);
        var mayGiveUp = options().Queue.Preempt != PreemptMode.Off && OutgoingRequest.MayGiveUp(request, body);
        constraints = hasNext || mayGiveUp ? constraints with { HasFallback = hasNext, MayGiveUp = mayGiveUp } : constraints;
        var resilience = options().Resilience;
        var heartbeat = visit.KeepAlive(resilience.Heartbeat, request);
        var tenant = visit.TenantAs(options().Telemetry.Tenants);
        var foreseen = Onlookers?.Foresee(model, request, estimate) ?? default;
        using var shadowed = model.OnArrived(request, estimate);
        var turn = Watched(model.Dispatcher.EnterAsync(request, estimate, constraints, visit.Http.RequestAborted), model, request, tenant);
        var admission = heartbeat is null ? await turn : await heartbeat.WaitAsync(turn);
        visit.Admitted(admission);
        if (admission.Outcome == AdmissionOutcome.RejectedShuttingDown && HasLeft(model, request))
        {
            return Left(request);
        }
        // The exchange returns the room itself; this is for the paths that never reach it. Returning twice does nothing.
        using var reservation = admission.Reservation;
        decided(model.Pool.Name, admission);
        model.OnDecided(estimate, admission);
        Onlookers?.OnDecided(model, request, tenant, estimate, admission, foreseen);
        if (reservation is null)
        {
            return new Miss(OutcomeMap.Of(admission.Outcome, request.Model, admission.RetryAfter), Miss.IsExhausted(admission.Outcome));
        }
        shadowed?.Reservation = reservation;

        // 4. Forward, and watch the answer go by.
        var outgoing = new OutgoingRequest(request, estimate, body, resilience, constraints.Pinned)
        {
            Terms = caller.Terms,
            HasFallback = hasNext,
            SharesId = visit.SharesId || !isFirst,
            Attempts = visit.Trace,
        };
        var miss = await ForwardAsync(visit, model, caller, outgoing, admission, heartbeat);
        shadowed?.OutputTokens = visit.AnswerTokens;
        return miss;
    }

    // Limits count a request once, fallbacks included. One that is too long and has no fallback is answered with that reason and not counted.
    private static async ValueTask<Miss?> RefusedAtOnceAsync(
        Visit visit, ModelPool model, Caller caller, InferenceRequest request, RequestEstimate estimate, bool isFirst, bool hasNext)
    {
        var isTooLong = model.Pool.ContextTokens <= estimate.LeastPromptTokens;
        if (isFirst && (hasNext || !isTooLong) && await caller.EnterAsync(visit.Http, visit.Route, estimate) is { } overLimit)
        {
            return new Miss(overLimit, AllowsFallback: false);
        }
        return isTooLong ? new Miss(OutcomeMap.ContextLength(request.Model, model.Pool.ContextTokens), AllowsFallback: true) : null;
    }

    private ValueTask<AdmissionResult> Watched(ValueTask<AdmissionResult> turn, ModelPool model, InferenceRequest request, string? tenant) =>
        Onlookers is null ? turn : Onlookers.Watch(turn, model, request, tenant);

    // A gateway that stops closes its models, too, but they keep their names.
    private bool HasLeft(ModelPool model, InferenceRequest request) => core.Find(request.Model) != model;

    // Where this gateway stops, the next one to be asked may well know the name.
    private Miss Left(InferenceRequest request) => new(
        IsStopping() ? OutcomeMap.Of(AdmissionOutcome.RejectedShuttingDown, request.Model, TimeSpan.FromSeconds(1)) : OutcomeMap.UnknownModel(request.Model),
        AllowsFallback: true)
    { HasLeft = true };

    // A stored response was found by the caller's own key: nobody else's can be.
    private static ApiProblem? Forbidden(Caller caller, InferenceRequest request, bool isStored) =>
        !isStored && !caller.MayUse(request.Model) ? OutcomeMap.ModelNotAllowed(request.Model)
        : caller.Terms.RemovesTrustedFields && request.Body.NamesLocalMedia ? OutcomeMap.MediaNotAllowed()
        : null;

    private async Task<Miss?> ForwardAsync(Visit visit, ModelPool model, Caller caller, OutgoingRequest outgoing, AdmissionResult admission, Heartbeat? heartbeat)
    {
        var current = options();
        using var exchange = new Exchange(outgoing, visit.Http, model.Dispatcher, upstreams.Of(model.Pool), admission)
        {
            Answering = answering =>
            {
                // Noted before the client reads the id of its response: it may ask for that response at once.
                Pinning.Remember(answering, model, core.Hasher, caller);
                if (answering.Answer.IsComplete)
                {
                    // Its place among concurrent requests is given back before the client sees the end, so that its next request is not refused because of this one.
                    visit.Settle();
                }
            },
        };
        visit.Begin(exchange);
        ForwarderError error;
        try
        {
            // YARP must not read the body: the exchange sends it, once per attempt.
            NoRequestBody.Hide(visit.Http);
            var transformer = new PassTransformer(exchange, current.Telemetry.ReplicaHeader);
            error = heartbeat is null
                ? await forwarder.SendAsync(visit.Http, NoRequestBody.AnyPrefix, exchange, NoTimeout, transformer, visit.Http.RequestAborted)
                : await heartbeat.ForwardAsync(exchange, transformer);
        }
        finally
        {
            await exchange.StopSearchAsync();
            exchange.Finish(visit.Http.RequestAborted.IsCancellationRequested);
            visit.Forwarded();
            Pinning.Remember(exchange, model, core.Hasher, caller);
            Learn(model, outgoing.Request, exchange);
        }
        // An answer that cannot be passed on, because a header of it is not allowed in HTTP, counts as a broken answer.
        var isUnfit = (error == ForwarderError.ResponseHeaders || (error != ForwarderError.None && !visit.Http.Response.HasStarted)) && !visit.Http.RequestAborted.IsCancellationRequested;
        if ((exchange.Failure ?? (isUnfit ? new AttemptFailure(FailureKind.BrokenAnswer) : null)) is { } failure)
        {
            if (!visit.Http.Response.HasStarted)
            {
                // YARP has set an error status. With that left in place it would refuse to forward to the fallback model.
                visit.Http.Response.StatusCode = StatusCodes.Status200OK;
            }
            if (failure.Kind == FailureKind.ShuttingDown && HasLeft(model, outgoing.Request) && Miss.MayAskAgain(outgoing))
            {
                return Left(outgoing.Request);
            }
            var engine = EnumWords.Of(exchange.Reservation.Replica.Report.Engine);
            return new Miss(OutcomeMap.Of(failure, outgoing.Request.Model, visit.Route.Path, engine, model.Pool.Options.ApiKeyEnv), Miss.MayMove(outgoing, failure, time));
        }
        return null;
    }

    // What the engine found in its cache, and which tool the session waits for, correct what the prefix index believes of the replica.
    private void Learn(ModelPool model, InferenceRequest request, Exchange exchange)
    {
        // What is only read tells again what the answer told when it was made.
        if (request.Route.TakesNoRoom)
        {
            return;
        }
        if (exchange.Answer.ReportedUsage is { PromptTokens: { } promptTokens, CachedTokens: { } cachedTokens })
        {
            model.OnReported(exchange.Reservation.Replica, promptTokens, exchange.PrefixHitTokens, exchange.PrefixHitAge, cachedTokens);
        }
        if (exchange.Answer is { Finish: FinishKind.ToolCalls } or { ToolName: not null })
        {
            model.Prefixes.OnToolCall(request.SessionKey, exchange.Answer.ToolName is { } tool ? core.Hasher.Key(tool) : 0);
        }
    }
}
