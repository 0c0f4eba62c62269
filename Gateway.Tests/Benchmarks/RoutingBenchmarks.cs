using System.Numerics;
using BenchmarkDotNet.Attributes;
using Gateway.Estimation;
using Gateway.Estimation.Learned;
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

    // As many in a small index as in a large one, each noted where it is held already: both stay what they are, and do the same.
    private const int MostAsked = 400;

    // As large as a holding.
    private const int EntryWords = 5;

    private readonly RoutingOptions _options = new();
    private PrefixIndex? _index;
    private Candidate[] _candidates = [];
    private (InferenceRequest Request, int Slot)[] _chats = [];
    private RequestEstimate _estimate;
    private ulong[] _entries = [];
    private int[] _places = [];
    private long _capacityTokens;
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
        _capacityTokens = (chats + Replicas - 1) / Replicas * (_estimate.PromptTokens + 1_000);
        var asked = new List<(InferenceRequest, int)>();
        for (var chat = 0; chat < chats; chat++)
        {
            var request = Chat(chat);
            _index.Record(request, _estimate, chat % Replicas, null, _options);
            if (chat % Math.Max(1, chats / MostAsked) == 0 && asked.Count < MostAsked)
            {
                asked.Add((request, chat % Replicas));
            }
        }
        _chats = [.. asked];
        // Where an entry lies is as irregular as where its place does.
        var capacity = BitOperations.RoundUpToPowerOf2((uint)Blocks);
        _entries = new ulong[EntryWords * capacity];
        Array.Fill(_entries, 1UL);
        _places = new int[3 * (capacity / 2)];
        for (var place = 0; place < _places.Length; place++)
        {
            _places[place] = EntryWords * (int)(Hash.Mix((ulong)place) % capacity);
        }
    }

    [Benchmark]
    public int FindAndNote()
    {
        var (request, slot) = _chats[_turn++ % _chats.Length];
        _index!.Match(request, _estimate.PromptTokens, _options, _candidates);
        _index.Record(request, _estimate, slot, null, _options);
        return _candidates[slot].PrefixHitTokens;
    }

    /// <summary>A prompt whose own part nobody holds, at a replica that is full: as much as it takes is forgotten.</summary>
    [Benchmark]
    public int FindNothingAndForget()
    {
        var (request, slot) = _chats[_turn++ % _chats.Length];
        for (var block = SystemBlocks; block < PromptBlocks; block++)
        {
            request.Prefix.Blocks[block] = Hash.Mix(request.Prefix.Blocks[block]);
        }
        _index!.Match(request, _estimate.PromptTokens, _options, _candidates);
        _index.Record(request, _estimate, slot, _capacityTokens, _options);
        return _candidates[slot].PrefixHitTokens;
    }

    /// <summary>What memory alone takes: for each block of the chat one place of a table as large as the index's, and the entry that it names.</summary>
    [Benchmark(Baseline = true)]
    public ulong LookOnly()
    {
        var (request, _) = _chats[_turn++ % _chats.Length];
        var sum = 0UL;
        foreach (var block in request.Prefix.Blocks.AsSpan(SystemBlocks))
        {
            sum += _entries[_places[(int)(((block >> 32) * (uint)_places.Length) >> 32)]];
        }
        return sum;
    }

    private static InferenceRequest Chat(int chat)
    {
        var blocks = new ulong[PromptBlocks];
        for (var block = 0; block < PromptBlocks; block++)
        {
            // As irregular as the hashes of prompts are: regular keys lie regularly, closer together or further apart than theirs.
            blocks[block] = Hash.Mix((ulong)(block < SystemBlocks ? 0 : chat + 1) << 20 | (uint)block);
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
