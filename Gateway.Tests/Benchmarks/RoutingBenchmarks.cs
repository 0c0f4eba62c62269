using BenchmarkDotNet.Attributes;
using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does the default cost of every replica take, beside the cheapest score there is?</summary>
[MemoryDiagnoser]
public class ScoringBenchmarks
{
    private Candidate[] _candidates = [];
    private Router? _leastRequests;
    private Router? _leastDelay;
    private RoutingQuery _query;

    [Params(16, 256, 1_000)]
    public int Replicas { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        var chance = new Random(1);
        _candidates = [.. Enumerable.Range(0, Replicas).Select(slot => new Candidate
        {
            Replica = new ReplicaSnapshot
            {
                Id = $"r{slot}",
                Slot = slot,
                Health = ReplicaHealth.Up,
                Weight = 1,
                HasRoom = true,
                RunningSequences = chance.Next(60),
                QueuedPrefillTokens = chance.Next(20_000),
                ReservedTokens = chance.Next(40_000),
                OutstandingTokens = chance.Next(5_000),
                CapacityTokens = 41_408,
                Report = EngineReport.Empty,
            },
            PrefixHitTokens = chance.Next(1_000),
        })];
        var request = new InferenceRequest { Id = "1", Route = ApiRoute.ChatCompletions, Model = "m", Body = new BodyFacts() };
        _query = new RoutingQuery(request, new RequestEstimate(1_000, 500, new OutputLengthEstimate(null, 0, 200), 1), new TrafficMeans(800, 200, 0.4));
        _leastRequests = RouterOf("least_requests");
        _leastDelay = RouterOf("least_delay");
    }

    [Benchmark(Baseline = true)]
    public int LeastRequests() => _leastRequests!.Choose(_query, _candidates);

    [Benchmark]
    public int LeastDelay() => _leastDelay!.Choose(_query, _candidates);

    private static Router RouterOf(string policy)
    {
        var plan = RoutingPolicies.Plan(new RoutingOptions { Policy = policy }, new Random(1));
        return new Router(() => plan, new Random(2));
    }
}

/// <summary>What does it take to find who holds a prompt's beginning, and to note who computes it, among ten million blocks? A system prompt that all replicas hold, then a chat that one holds.</summary>
[MemoryDiagnoser]
public class PrefixIndexBenchmarks
{
    private const int SystemBlocks = 32;
    private const int PromptBlocks = 192;

    private readonly RoutingOptions _options = new();
    private PrefixIndex? _index;
    private Candidate[] _candidates = [];
    private InferenceRequest[] _requests = [];
    private RequestEstimate _estimate;
    private int _turn;

    [Params(100_000, 10_000_000)]
    public int Blocks { get; set; }

    [Params(16, 1_000)]
    public int Replicas { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _index = new PrefixIndex(1L << 30, TimeProvider.System);
        _candidates = [.. Enumerable.Range(0, Replicas).Select(slot => new Candidate { Replica = new ReplicaSnapshot { Id = $"r{slot}", Slot = slot, Report = EngineReport.Empty } })];
        _estimate = new RequestEstimate(PromptBlocks * 64, 1_000, new OutputLengthEstimate(null, 0, 200), 1);
        var chats = Math.Max(1, (Blocks - (SystemBlocks * Replicas)) / (PromptBlocks - SystemBlocks));
        var kept = new List<InferenceRequest>();
        for (var chat = 0; chat < chats; chat++)
        {
            var request = Chat(chat);
            _index.Record(request, _estimate, chat % Replicas, null, _options);
            if (chat % Math.Max(1, chats / 1_000) == 0)
            {
                kept.Add(request);
            }
        }
        _requests = [.. kept];
    }

    [Benchmark]
    public int Match()
    {
        _index!.Match(_requests[_turn++ % _requests.Length], _estimate.PromptTokens, _options, _candidates);
        return _candidates[0].PrefixHitTokens;
    }

    [Benchmark]
    public void Record() => _index!.Record(_requests[_turn++ % _requests.Length], _estimate, _turn % Replicas, null, _options);

    private static InferenceRequest Chat(int chat)
    {
        var blocks = new ulong[PromptBlocks];
        for (var block = 0; block < PromptBlocks; block++)
        {
            blocks[block] = ((ulong)(block < SystemBlocks ? 0 : chat + 1) << 20 | (uint)block) * 0x9E3779B97F4A7C15UL;
        }
        return new InferenceRequest
        {
            Id = "1",
            Route = ApiRoute.ChatCompletions,
            Model = "m",
            Body = new BodyFacts { PromptBytes = PromptBlocks * 256 },
            Prefix = new PrefixFingerprint(blocks, 256),
        };
    }
}
