using System.Numerics;
using Gateway.Requests;

namespace Gateway.Routing;

/// <summary>Remembers which replica saw which beginning of a prompt, and which session. One per pool. Thread-safe; bounded.</summary>
/// <remarks>An approximation of the engines' prefix caches without their events: what was sent is believed cached until it is forgotten
/// or too old. Each hash covers all blocks before it, so one lookup per block walks a path of the tree that is never built.</remarks>
public sealed class PrefixIndex
{
    // A session key costs as much as a block; one in sixteen of the memory holds a million sessions at the default.
    private const int SessionShare = 16;

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly HolderTable _blocks;
    private readonly HolderTable _sessions;
    private ulong[] _path = new ulong[1];

    /// <param name="maxBytes">Memory for blocks and sessions together.</param>
    /// <param name="time">The clock.</param>
    public PrefixIndex(long maxBytes, TimeProvider time)
    {
        _time = time;
        _sessions = new HolderTable(maxBytes / SessionShare);
        _blocks = new HolderTable(maxBytes - (maxBytes / SessionShare));
    }

    /// <summary>Blocks remembered.</summary>
    public int Blocks
    {
        get
        {
            lock (_gate)
            {
                return _blocks.Count;
            }
        }
    }

    /// <summary>Sets, for each candidate, how much of the prompt it holds and whether it holds the session.</summary>
    /// <param name="request">The request.</param>
    /// <param name="promptTokens">Tokens of its whole prompt: the most that a hit can be.</param>
    /// <param name="options">How long a block or session is believed.</param>
    /// <param name="candidates">Receives the hits.</param>
    public void Match(InferenceRequest request, int promptTokens, RoutingOptions options, Span<Candidate> candidates)
    {
        var now = _time.GetTimestamp();
        lock (_gate)
        {
            if (options.Prefix.Enabled)
            {
                MatchBlocksLocked(request, promptTokens, now - Ticks(options.Prefix.Ttl), candidates);
            }
            if (request.SessionKey != 0)
            {
                var holders = _sessions.Holders(request.SessionKey, now - Ticks(options.SessionTtl));
                foreach (ref var candidate in candidates)
                {
                    candidate.HoldsSession = Contains(holders, candidate.Replica.Slot);
                }
            }
        }
    }

    /// <summary>Notes that a replica is about to compute the prompt: the next one alike finds it there.</summary>
    /// <param name="request">The request.</param>
    /// <param name="slot">The replica.</param>
    /// <param name="options">How long a block is believed: who held it before that does not hold it again because another does.</param>
    public void Record(InferenceRequest request, int slot, RoutingOptions options)
    {
        var now = _time.GetTimestamp();
        lock (_gate)
        {
            // From the end, so that the beginning, which more prompts share, is the last to be forgotten.
            var blocks = options.Prefix.Enabled ? request.Prefix.Blocks : [];
            var notBefore = now - Ticks(options.Prefix.Ttl);
            for (var i = blocks.Length - 1; i >= 0; i--)
            {
                _blocks.Add(blocks[i], slot, now, notBefore);
            }
            if (request.SessionKey != 0)
            {
                _sessions.Set(request.SessionKey, slot, now);
            }
        }
    }

    /// <summary>Notes that a replica holds what a key names, such as a stored response.</summary>
    public void RecordSession(ulong key, int slot)
    {
        var now = _time.GetTimestamp();
        lock (_gate)
        {
            _sessions.Set(key, slot, now);
        }
    }

    /// <summary>The slot that holds a session key; null when unknown.</summary>
    public int? SessionSlot(ulong key)
    {
        lock (_gate)
        {
            var holders = _sessions.Holders(key, long.MinValue);
            for (var word = 0; word < holders.Length; word++)
            {
                if (holders[word] != 0)
                {
                    return (word * 64) + BitOperations.TrailingZeroCount(holders[word]);
                }
            }
            return null;
        }
    }

    /// <summary>Forgets a replica that left.</summary>
    public void Forget(int slot)
    {
        lock (_gate)
        {
            _blocks.Forget(slot);
            _sessions.Forget(slot);
        }
    }

    private void MatchBlocksLocked(InferenceRequest request, int promptTokens, long notBefore, Span<Candidate> candidates)
    {
        var blocks = request.Prefix.Blocks;
        var words = _blocks.Words;
        if (_path.Length < words)
        {
            _path = new ulong[words];
        }
        var alive = _path.AsSpan(0, words);
        alive.Fill(ulong.MaxValue);
        for (var depth = 0; depth < blocks.Length; depth++)
        {
            var holders = _blocks.Holders(blocks[depth], notBefore);
            ulong any = 0;
            for (var word = 0; word < words; word++)
            {
                alive[word] &= word < holders.Length ? holders[word] : 0;
                any |= alive[word];
            }
            if (any == 0)
            {
                return;
            }
            // Bytes of whole blocks, in the prompt's own ratio of bytes to tokens; an engine always computes the last token.
            var hit = (int)Math.Min(promptTokens - 1, (depth + 1L) * request.Prefix.BlockBytes * promptTokens / Math.Max(1, request.Body.PromptBytes));
            foreach (ref var candidate in candidates)
            {
                if (Contains(alive, candidate.Replica.Slot))
                {
                    candidate.PrefixHitTokens = Math.Max(0, hit);
                }
            }
        }
    }

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);

    private static bool Contains(ReadOnlySpan<ulong> slots, int slot) =>
        slot / 64 < slots.Length && (slots[slot / 64] & (1UL << (slot % 64))) != 0;
}
