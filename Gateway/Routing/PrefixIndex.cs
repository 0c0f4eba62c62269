using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Routing;

/// <summary>Remembers which replica holds which beginning of a prompt, and which session. One per pool. Thread-safe; bounded.</summary>
/// <remarks>An approximation of the engines' prefix caches without their events: what was sent is believed cached until the replica's KV room is taken by what it
/// was sent since, or it is too old. Each hash covers all blocks before it, so one lookup per block walks a path of the tree that is never built.</remarks>
public sealed class PrefixIndex
{
    // A session key costs as much as a block; one in sixteen of the memory holds 270,000 sessions at the default.
    private const int SessionShare = 16;

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly HolderTable _blocks;
    private readonly PrefixWalk _walk;
    private readonly MarginalHits _marginalHits = new();
    private readonly HolderTable _sessions;
    private readonly CacheBelief _belief = new();
    private readonly SessionReturns _returns = new();
    private ulong _unnamed;
    private long _version;

    /// <param name="maxBytes">Memory for blocks and sessions together.</param>
    /// <param name="time">The clock.</param>
    public PrefixIndex(long maxBytes, TimeProvider time)
    {
        _time = time;
        _sessions = new HolderTable(maxBytes / SessionShare);
        _blocks = new HolderTable(maxBytes - (maxBytes / SessionShare));
        _walk = new PrefixWalk(_blocks);
    }

    /// <summary>Hears what was recorded here and is not known from others: the replica's slot and its use. Called under a lock: quick, and calls nothing back. Null: nobody listens.</summary>
    public Action<int, PrefixUse>? Recorded { get; set; }

    /// <summary>Hears of each session whose answer called a tool, unless that is known from others: the session and the tool, as for <see cref="OnToolCall"/>. Null: nobody listens.</summary>
    public Action<ulong, ulong>? ToolCalled { get; set; }

    /// <summary>Blocks remembered; one that three replicas hold counts three times.</summary>
    internal int Blocks
    {
        get
        {
            lock (_gate)
            {
                return _blocks.Count;
            }
        }
    }

    /// <summary>Prompt tokens that are found no more for each token more that the replicas' full caches take in; 0 where they have room.</summary>
    public double HitsLostPerToken => _marginalHits.LostPerToken;

    /// <summary>Takes over the memory it may take from a changed configuration; when it is less, the oldest is forgotten.</summary>
    public void SetMaxBytes(long maxBytes)
    {
        lock (_gate)
        {
            if (_sessions.MaxBytes != maxBytes / SessionShare)
            {
                _sessions.MaxBytes = maxBytes / SessionShare;
                _blocks.MaxBytes = maxBytes - (maxBytes / SessionShare);
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
            if (options.Prefix.Enabled && request.Prefix.Blocks.Length > 0)
            {
                MatchBlocksLocked(request, promptTokens, now - Ticks(options.Prefix.Ttl), candidates);
            }
            if (request.SessionKey == 0)
            {
                return;
            }
            var notBefore = SessionNotBeforeLocked(request.SessionKey, options, now);
            foreach (ref var candidate in candidates)
            {
                candidate.HoldsSession = _sessions.UsedAt(request.SessionKey, candidate.Replica.Slot) >= notBefore;
            }
        }
    }

    /// <summary>How much of the prompt each replica holds.</summary>
    /// <param name="request">The request.</param>
    /// <param name="promptTokens">Tokens of its whole prompt: the most that a hit can be.</param>
    /// <param name="options">How long a block is believed.</param>
    /// <param name="replicas">The replicas.</param>
    /// <param name="hitTokens">Receives the hits.</param>
    public void Match(InferenceRequest request, int promptTokens, RoutingOptions options, ReadOnlySpan<Replica> replicas, Span<int> hitTokens)
    {
        hitTokens.Clear();
        if (!options.Prefix.Enabled || request.Prefix.Blocks.Length == 0)
        {
            return;
        }
        var notBefore = _time.GetTimestamp() - Ticks(options.Prefix.Ttl);
        lock (_gate)
        {
            if (_walk.Go(request.Prefix.Blocks, notBefore))
            {
                for (var i = 0; i < replicas.Length; i++)
                {
                    hitTokens[i] = HitTokens(request, promptTokens, _walk.BlocksOf(replicas[i].Slot));
                }
            }
        }
    }

    /// <summary>Changes with every prompt that is noted, and with every replica that is forgotten; not where what is held grows too old.</summary>
    public long Version => Volatile.Read(ref _version);

    /// <summary>Notes that a replica is about to compute the prompt and to add its answer: the next one alike finds it there, and what it used least recently makes room.</summary>
    /// <param name="request">The request.</param>
    /// <param name="estimate">How many tokens of KV room it takes.</param>
    /// <param name="slot">The replica.</param>
    /// <param name="capacityTokens">KV room of the replica that can keep prefixes; null: unknown, then only age and memory bound what is believed.</param>
    /// <param name="options">What is remembered at all.</param>
    /// <returns>How long ago the replica was last sent the part that it is believed to hold; zero where it is believed to hold nothing.</returns>
    public TimeSpan Record(InferenceRequest request, in RequestEstimate estimate, int slot, long? capacityTokens, RoutingOptions options)
    {
        var use = UseOf(request, estimate, options);
        Recorded?.Invoke(slot, use);
        return Book(use, slot, capacityTokens);
    }

    /// <summary>Notes what another gateway sent to a replica.</summary>
    /// <param name="use">What.</param>
    /// <param name="slot">The replica.</param>
    /// <param name="capacityTokens">As for <see cref="Record"/>.</param>
    public void RecordPeers(in PrefixUse use, int slot, long? capacityTokens) => Book(use, slot, capacityTokens);

    /// <summary>Takes over what an engine reported of an answer's prompt: where it held less than was believed, less of its KV room is believed to keep prefixes, and the other way round.</summary>
    /// <param name="slot">The replica.</param>
    /// <param name="promptTokens">Tokens of the prompt, as the engine counts them.</param>
    /// <param name="believedTokens">What the choice went by.</param>
    /// <param name="believedAge">What <see cref="Record"/> returned.</param>
    /// <param name="cachedTokens">What the engine found.</param>
    public void OnReported(int slot, int promptTokens, int believedTokens, TimeSpan believedAge, int cachedTokens)
    {
        lock (_gate)
        {
            _belief.OnAnswered(slot, promptTokens, believedTokens, believedAge, cachedTokens);
        }
    }

    /// <summary>Notes what is believed of a prompt that is about to be sent, so that what the engine counts can be compared with it where its answers tell nothing.</summary>
    /// <param name="slot">The replica.</param>
    /// <param name="promptTokens">Tokens of the prompt.</param>
    /// <param name="believedTokens">What the choice went by.</param>
    /// <param name="believedAge">What <see cref="Record"/> returned.</param>
    /// <param name="report">What the engine last said of itself.</param>
    public void OnSent(int slot, int promptTokens, int believedTokens, TimeSpan believedAge, EngineReport report)
    {
        lock (_gate)
        {
            _belief.OnSent(slot, promptTokens, believedTokens, believedAge, report);
        }
    }

    /// <summary>Notes that a session's answer called a tool: the session keeps its replica for as long as such calls usually take.</summary>
    /// <param name="session">The session; 0: none.</param>
    /// <param name="tool">Keyed hash of the tool's name; 0: unknown.</param>
    public void OnToolCall(ulong session, ulong tool)
    {
        if (session != 0)
        {
            ToolCalled?.Invoke(session, tool);
            OnPeersToolCall(session, tool);
        }
    }

    /// <summary>The same of a session whose answer went through another gateway.</summary>
    public void OnPeersToolCall(ulong session, ulong tool)
    {
        lock (_gate)
        {
            _returns.OnCall(session, tool, _time.GetElapsedTime(0, _time.GetTimestamp()));
        }
    }

    /// <summary>Notes that a replica holds what a key names, such as a stored response.</summary>
    public void RecordSession(ulong key, int slot)
    {
        var use = new PrefixUse(key, default, 0, 0);
        Recorded?.Invoke(slot, use);
        Book(use, slot, null);
    }

    /// <summary>The slot that holds a session key; null when unknown.</summary>
    public int? SessionSlot(ulong key)
    {
        lock (_gate)
        {
            return _sessions.AnyHolder(key);
        }
    }

    /// <summary>Forgets a replica that left.</summary>
    public void Forget(int slot)
    {
        lock (_gate)
        {
            ForgetBlocks(slot);
            _sessions.Forget(slot);
            _belief.Forget(slot);
        }
    }

    /// <summary>Forgets what a replica had in its cache: its engine was started anew. How much of its room keeps prefixes is still known, and who was there last.</summary>
    public void ForgetBlocks(int slot)
    {
        lock (_gate)
        {
            _version++;
            _blocks.Forget(slot);
        }
    }

    // A session that is expected back is kept, one that is overdue is not, however long ago it was used.
    private long SessionNotBeforeLocked(ulong session, RoutingOptions options, long now) =>
        options.ToolReturnShare > 0 && _returns.ExpectedBy(session, options.ToolReturnShare) is { } expected
            ? _time.GetElapsedTime(0, now) <= expected ? long.MinValue : long.MaxValue
            : now - Ticks(options.SessionTtl);

    private void MatchBlocksLocked(InferenceRequest request, int promptTokens, long notBefore, Span<Candidate> candidates)
    {
        if (!_walk.Go(request.Prefix.Blocks, notBefore))
        {
            return;
        }
        foreach (ref var candidate in candidates)
        {
            candidate.PrefixHitTokens = HitTokens(request, promptTokens, _walk.BlocksOf(candidate.Replica.Slot));
            candidate.PrefixHitBlocks = _walk.BlocksOf(candidate.Replica.Slot);
            candidate.HoldsPrefixes = _blocks.TokensOf(candidate.Replica.Slot) > 0;
        }
    }

    // An engine always computes the last token.
    private static int HitTokens(InferenceRequest request, int promptTokens, int blocks) => blocks > 0
        ? (int)Math.Clamp((long)blocks * request.Prefix.BlockBytes * promptTokens / Math.Max(1, request.Body.PromptBytes), 0, promptTokens - 1)
        : 0;

    private static PrefixUse UseOf(InferenceRequest request, in RequestEstimate estimate, RoutingOptions options)
    {
        if (!options.Prefix.Enabled)
        {
            return new PrefixUse(request.SessionKey, default, 0, 0);
        }
        var blocks = request.Prefix.Blocks;
        var perBlock = blocks.Length == 0 ? 0 : (int)Math.Max(1, (long)request.Prefix.BlockBytes * estimate.PromptTokens / Math.Max(1, request.Body.PromptBytes));
        return new PrefixUse(request.SessionKey, blocks, perBlock, Math.Max(0, estimate.PromptTokens + (int)estimate.OutputTokens - (perBlock * blocks.Length)));
    }

    private TimeSpan Book(in PrefixUse use, int slot, long? capacityTokens)
    {
        var now = _time.GetTimestamp();
        lock (_gate)
        {
            _version++;
            if (use.Session != 0)
            {
                _returns.OnRequest(use.Session, _time.GetElapsedTime(0, now));
                _sessions.Set(use.Session, slot, now);
            }
            return use.BlockTokens > 0 || use.OtherTokens > 0 ? _time.GetElapsedTime(BookBlocksLocked(use, slot, capacityTokens, now), now) : TimeSpan.Zero;
        }
    }

    // In the order in which an engine lets go: the answer before the prompt, the end of the prompt before its beginning, which more prompts share.
    private long BookBlocksLocked(in PrefixUse use, int slot, long? capacityTokens, long now)
    {
        var blocks = use.Blocks.Span;
        if (capacityTokens is not null)
        {
            _blocks.Touch(blocks.Length > 0 ? ~blocks[^1] : ++_unnamed, slot, use.OtherTokens, now);
        }
        var room = capacityTokens * _belief.ShareOf(slot);
        var lateBefore = LateBeforeLocked(slot, room, now);
        var (sentBefore, late, added) = (now, 0L, (long)use.OtherTokens);
        for (var i = blocks.Length - 1; i >= 0; i--)
        {
            if ((blocks.Length - 1 - i) % HolderTable.FetchedAtOnce == 0)
            {
                _blocks.Fetch(blocks[Math.Max(0, i + 1 - HolderTable.FetchedAtOnce)..(i + 1)], slot);
            }
            var before = _blocks.Touch(blocks[i], slot, use.BlockTokens, now);
            sentBefore = sentBefore == now ? before ?? now : sentBefore;
            late += before < lateBefore ? use.BlockTokens : 0;
            added += before is null ? use.BlockTokens : 0;
        }
        _marginalHits.Add(late, added);
        if (room is { } tokens)
        {
            _blocks.Trim(slot, (long)tokens);
        }
        return sentBefore;
    }

    // Half of the time that a full cache keeps anything ago; of one that is not full nothing has to leave.
    private long LateBeforeLocked(int slot, double? roomTokens, long now) =>
        _blocks.TokensOf(slot) > MarginalHits.FullFrom * roomTokens && _blocks.OldestAt(slot) is { } oldest
            ? now - ((now - oldest) / 2)
            : long.MinValue;

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);
}
