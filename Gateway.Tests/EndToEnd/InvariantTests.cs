using System.Globalization;
using System.Net;
using Gateway.Requests;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.EndToEnd;

/// <summary>Whatever engines and clients do: every reservation comes back, every counter balances, no connection stays, no client is left guessing.</summary>
public class InvariantTests(ITestOutputHelper output)
{
    private const int AtOnce = 96;

    [Theory]
    [InlineData(20_000, 1)]
    public async Task Requests_ThroughFailuresAndDepartures_LeaveNothingBehind(int requests, int seed)
    {
        output.WriteLine($"seed {seed}, {requests} requests, {AtOnce} at once");
        await using var world = await GatewayWorld.StartAsync(
            4,
            (engine, i) => engine with { Speed = i == 3 ? 4 : 40, Seed = seed + i, RecordedRequests = 0 },
            options => options with
            {
                Models = [options.Models[0] with { Replicas = [.. options.Models[0].Replicas.Select(replica => replica with { Slots = 16 })] }],
                Queue = new() { MaxWaiting = 48, MaxWait = TimeSpan.FromSeconds(5) },
                Resilience = new()
                {
                    StreamIdleTimeout = TimeSpan.FromMilliseconds(400),
                    FirstByteTimeout = TimeSpan.FromSeconds(5),
                    TotalTimeout = TimeSpan.FromSeconds(8),
                    OpenDuration = TimeSpan.FromMilliseconds(200),
                    Backoff = TimeSpan.FromMilliseconds(50),
                },
            });
        var tally = new Tally();
        using var chaosEnds = new CancellationTokenSource();
        var chaos = MisbehaveAsync(world, tally, requests, seed, chaosEnds.Token);

        var next = 0;
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async client =>
        {
            var chance = new Random((seed * 1_000) + client);
            while (Interlocked.Increment(ref next) <= requests)
            {
                await OneAsync(world, chance, tally);
            }
        })).ComesAsync("the last answer", TimeSpan.FromMinutes(8));
        await chaosEnds.CancelAsync();
        await chaos;

        output.WriteLine(tally.ToString());
        Assert.True(tally.Cuts.IsEmpty, $"Answers that stopped without a word: {string.Join("; ", tally.Cuts.Take(5))}");
        Assert.Equal(requests, tally.Done + tally.Errors + tally.Left);
        Assert.InRange(tally.Done, requests / 3, requests);
        await NothingIsLeftAsync(world, tally, requests);
    }

    private static async Task NothingIsLeftAsync(GatewayWorld world, Tally tally, int requests)
    {
        var dispatcher = world.Server.Core.Find(GatewayWorld.Model)!.Dispatcher;
        await Until.HoldsAsync(() => world.Running() == 0, "every reservation is returned");
        Assert.All(Enum.GetValues<PriorityClass>(), priority => Assert.Equal(0, dispatcher.Waiting(priority)));
        Assert.All(world.Pool.ReplicaList.Select(replica => replica.Snapshot()), snapshot => Assert.Equal(
            (0, 0, 0L, 0L, 0.0),
            (snapshot.RunningRequests, snapshot.RunningSequences, snapshot.ReservedTokens, snapshot.QueuedPrefillTokens, snapshot.OutstandingTokens)));

        await Until.HoldsAsync(() => world.Engines.All(engine => engine.Journal.Open == 0), "the engines are rid of every request");
        await Until.HoldsAsync(() => world.Engines.All(engine => engine.Counters is { Running: 0, Waiting: 0, UsedBlocks: 0 }), "the engines' room is free");
        // A client that left before its headers came may have left before its request did.
        var least = requests - tally.LeftEarly;
        var counted = 0.0;
        for (var look = 0; look < 200 && counted < least; look++)
        {
            counted = await world.Client.MetricAsync("gateway_requests_total");
        }
        Assert.InRange(counted, least, requests);
        Assert.Equal(counted, await world.Client.MetricAsync("gateway_request_duration_seconds_count"));
        var departed = await world.Client.MetricAsync("gateway_requests_total", "code=\"499\"");
        Assert.InRange(counted - departed, tally.Done + tally.Errors, requests);
        Assert.Equal(0, await world.Client.MetricAsync("gateway_replica_reserved_tokens"));
        Assert.Equal(0, await world.Client.MetricAsync("gateway_replica_inflight_requests"));
        var retries = await world.Client.MetricAsync("gateway_retries_total");
        var attempts = world.Engines.Sum(engine => engine.Journal.Started);
        Assert.InRange(attempts, await world.Client.MetricAsync("gateway_requests_total", "code=\"200\""), requests + retries);
        await world.DisconnectAsync();
        await Until.HoldsAsync(() => world.Engines.All(engine => engine.Journal.OpenConnections == 0), "no connection to an engine is left open");
    }

    private static async Task OneAsync(GatewayWorld world, Random chance, Tally tally)
    {
        var isStreaming = chance.Next(4) != 0;
        var tokens = 1 + chance.Next(chance.Next(8) == 0 ? 120 : 24);
        var body = Chat.Body(
            string.Create(CultureInfo.InvariantCulture, $"{Chat.Words(20 + chance.Next(200), chance.Next(40))} answer with {tokens} tokens"),
            chance.Next(3) == 0 ? 100 : null, isStreaming, chance.Next(10) == 0 ? ",\"n\":2" : "");
        string[] priorities = ["interactive", "default", "batch"];
        (string, string)[] headers = chance.Next(2) == 0 ? [] : [("x-gateway-priority", priorities[chance.Next(3)]), ("x-session-id", $"s{chance.Next(30)}")];
        using var leave = new CancellationTokenSource();
        var leavesAfterLines = chance.Next(5) == 0 ? chance.Next(30) : int.MaxValue;
        if (chance.Next(10) == 0)
        {
            leave.CancelAfter(TimeSpan.FromMilliseconds(chance.Next(60)));
        }
        var hasHeaders = false;
        try
        {
            using var response = await world.PostAsync("/v1/chat/completions", body, headers, leave.Token);
            hasHeaders = true;
            var lines = 0;
            if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
            {
                using var chat = new OpenChat(response);
                var reply = await chat.ReadAsync(
                    () =>
                    {
                        if (++lines > leavesAfterLines)
                        {
                            leave.Cancel();
                        }
                    }, leave.Token);
                tally.Add(reply.End, $"stream after {lines} lines");
                return;
            }
            var text = await response.Content.ReadAsStringAsync(leave.Token);
            var isWhole = text.Contains("\"chat.completion\"", StringComparison.Ordinal) && text.EndsWith('}');
            tally.Add(
                response.StatusCode == HttpStatusCode.OK && isWhole ? ChatEnd.Done : text.Contains("\"error\"", StringComparison.Ordinal) ? ChatEnd.Error : ChatEnd.SilentCut,
                $"status {(int)response.StatusCode}");
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested)
        {
            tally.Leave(hasHeaders);
        }
        catch (Exception cut) when (cut is HttpRequestException or IOException)
        {
            if (leave.IsCancellationRequested)
            {
                tally.Leave(hasHeaders);
                return;
            }
            tally.Add(ChatEnd.SilentCut, cut.ToString());
        }
    }

    // Engines turn bad and good again, one after another, as the requests go by.
    private static async Task MisbehaveAsync(GatewayWorld world, Tally tally, int requests, int seed, CancellationToken ends)
    {
        var chance = new Random(seed);
        EngineFaults[] faults =
        [
            new() { FailRate = 0.3 }, new() { StallAfterTokens = 3 }, new() { DieAfterTokens = 4 }, new() { DieAfterTokens = 0 }, new() { RefuseStatus = 503 },
            new() { MalformedFrameAt = 2 }, new() { CutWithoutFinish = true }, new() { OmitDone = true }, new() { NonsenseBody = true }, new() { WrongLength = true },
            new() { ExtraFirstTokenDelay = TimeSpan.FromMilliseconds(30) }, new() { StallAfterTokens = 0 },
        ];
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        var turn = 0;
        while (!ends.IsCancellationRequested)
        {
            if (tally.Total < ++turn * requests / 60)
            {
                turn--;
                await looks.WaitForNextTickAsync(CancellationToken.None);
                continue;
            }
            var bad = turn % world.Engines.Count;
            for (var i = 0; i < world.Engines.Count; i++)
            {
                world.Engines[i].Faults = i == bad && turn % 3 != 0 ? faults[chance.Next(faults.Length)] : EngineFaults.None;
                world.Pool.ReplicaList[i].SetDraining(turn % 3 == 0 && i == bad);
            }
        }
        foreach (var engine in world.Engines)
        {
            engine.Faults = EngineFaults.None;
        }
    }

    private sealed class Tally
    {
        private int _done;
        private int _errors;
        private int _left;
        private int _leftEarly;

        public System.Collections.Concurrent.ConcurrentQueue<string> Cuts { get; } = new();

        public int Done => _done;

        public int Errors => _errors;

        public int Left => _left;

        /// <summary>Of these, the ones that got no headers.</summary>
        public int LeftEarly => _leftEarly;

        public int Total => Volatile.Read(ref _done) + Volatile.Read(ref _errors) + Volatile.Read(ref _left) + Cuts.Count;

        public void Add(ChatEnd end, string what)
        {
            switch (end)
            {
                case ChatEnd.Done:
                    Interlocked.Increment(ref _done);
                    break;
                case ChatEnd.Error:
                    Interlocked.Increment(ref _errors);
                    break;
                default:
                    Cuts.Enqueue(what);
                    break;
            }
        }

        public void Leave(bool hasHeaders)
        {
            Interlocked.Increment(ref _left);
            if (!hasHeaders)
            {
                Interlocked.Increment(ref _leftEarly);
            }
        }

        public override string ToString() => $"whole {Done}, told an error {Errors}, left {Left}, cut without a word {Cuts.Count}";
    }
}
