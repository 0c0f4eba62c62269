using System.Buffers;
using System.IO.Pipelines;

namespace Gateway.Simulation.Serving;

/// <summary>Carries a group's tokens to the client, one frame and one flush each, and misbehaves where it is told to.</summary>
internal static class AnswerPump
{
    /// <summary>Streams until the answer ends. Cancelled when the client leaves.</summary>
    public static async Task StreamAsync(EngineCall call, GenerationGroup group, AnswerStream stream)
    {
        var response = call.Http.Response;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        var body = response.BodyWriter;
        group.IsStreamed = true;
        await using var leaving = Start(call, group);
        await response.StartAsync(call.Aborted);
        await body.FlushAsync(call.Aborted);
        await DelayAsync(call);

        var sent = new int[group.Generations.Count];
        var (open, isStarted, total) = (sent.Length, false, 0);
        while (open > 0)
        {
            await group.NewsAsync();
            StopIfAbandoned(call, group);
            for (var choice = 0; choice < sent.Length; choice++)
            {
                var generation = group.Generations[choice];
                if (sent[choice] < 0)
                {
                    continue;
                }

                var (produced, isFinished) = group.Progress(generation);
                for (; sent[choice] < produced; sent[choice]++)
                {
                    isStarted = isStarted || WriteStart(stream, body, group);
                    await MisbehaveAsync(call, body, total++);
                    stream.WriteToken(body, group, choice, sent[choice]);
                    await body.FlushAsync(call.Aborted);
                }

                if (isFinished)
                {
                    await MisbehaveAsync(call, body, total);
                    isStarted = isStarted || WriteStart(stream, body, group);
                    sent[choice] = -1;
                    open--;
                    FinishChoice(call, group, stream, body, choice);
                    await body.FlushAsync(call.Aborted);
                }
            }
        }

        if (!call.Faults.CutWithoutFinish)
        {
            stream.WriteEnd(body, group, call.Faults.OmitDone);
            await body.FlushAsync(call.Aborted);
        }
    }

    /// <summary>Waits for all of an answer. Cancelled when the client leaves.</summary>
    public static async Task CompleteAsync(EngineCall call, GenerationGroup group)
    {
        await using var leaving = Start(call, group);
        await DelayAsync(call);
        foreach (var generation in group.Generations)
        {
            while (!group.Progress(generation).IsFinished)
            {
                await group.NewsAsync();
                StopIfAbandoned(call, group);
            }
        }

        if (call.Faults.DieAfterTokens is { } die && group.Produced >= die)
        {
            await FaultyAnswers.DieAsync(call.Http);
        }

        if (call.Faults.StallAfterTokens is { } stall && group.Produced >= stall)
        {
            await StallAsync(call);
        }
    }

    private static CancellationTokenRegistration Start(EngineCall call, GenerationGroup group)
    {
        var loop = call.Server.Loop;
        loop.Submit(group);
        return call.Aborted.UnsafeRegister(_ => loop.Cancel(group), null);
    }

    private static bool WriteStart(AnswerStream stream, PipeWriter body, GenerationGroup group)
    {
        stream.WriteStart(body, group);
        return true;
    }

    private static void FinishChoice(EngineCall call, GenerationGroup group, AnswerStream stream, PipeWriter body, int choice)
    {
        if (!call.Faults.CutWithoutFinish)
        {
            stream.WriteFinish(body, group, choice);
        }
    }

    private static Task DelayAsync(EngineCall call) =>
        call.Faults.ExtraFirstTokenDelay > TimeSpan.Zero ? Task.Delay(call.Faults.ExtraFirstTokenDelay, call.Server.Options.Time, call.Aborted) : Task.CompletedTask;

    private static async Task MisbehaveAsync(EngineCall call, PipeWriter body, int token)
    {
        if (call.Faults.MalformedFrameAt == token)
        {
            body.Write("data: {\"choices\": [{\"delta\n\n"u8);
            await body.FlushAsync(call.Aborted);
        }

        if (call.Faults.DieAfterTokens == token)
        {
            await FaultyAnswers.DieAsync(call.Http);
        }

        if (call.Faults.StallAfterTokens == token)
        {
            await StallAsync(call);
        }
    }

    private static Task StallAsync(EngineCall call) => Task.Delay(Timeout.InfiniteTimeSpan, call.Server.Options.Time, call.Aborted);

    private static void StopIfAbandoned(EngineCall call, GenerationGroup group)
    {
        if (group.IsAbandoned)
        {
            call.Http.Abort();
            throw new OperationCanceledException("The client left or the engine stopped.");
        }
    }
}
