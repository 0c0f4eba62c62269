using Gateway.Replicas.Rates;

namespace Gateway.Replicas;

/// <summary>What a request will occupy at a replica.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="UncachedTokens">Prompt tokens that this replica is believed to have to compute.</param>
/// <param name="OutputTokens">Expected output tokens over all sequences.</param>
/// <param name="Sequences">Answers generated in parallel, at least 1.</param>
public readonly record struct LoadProfile(int PromptTokens, int UncachedTokens, double OutputTokens, int Sequences)
{
    /// <summary>Chained hashes of the prompt's blocks, as of its fingerprint: requests in flight with the same beginning hold it once. Never written.</summary>
    public ulong[] Blocks { get => field ?? []; init; }

    /// <summary>Prompt tokens of each block.</summary>
    public int BlockTokens { get; init; }

    /// <summary>Share of the replica's room that must stay free beside it for others, 0 to 1.</summary>
    public double Headroom { get; init; }

    /// <summary>Longest decode step that it is meant to share; infinite: any.</summary>
    public double StepLimitSeconds { get => field > 0 ? field : double.PositiveInfinity; init; }

    /// <summary>KV room in tokens at the end of the answer.</summary>
    public long Tokens => PromptTokens + (long)Math.Ceiling(OutputTokens);

    /// <summary>Whether its first token will be heard of: a stream's is, a plain answer comes whole.</summary>
    public bool TellsFirstToken { get; init; } = true;

    /// <summary>Whether it only reads or deletes what the engine has made: that is no new work, and a draining replica still takes it.</summary>
    public bool IsRead { get; init; }
}

/// <summary>The room of one request at one replica, held from the choice to the answer's end. Thread-safe; returned once by <see cref="Dispose"/>.</summary>
public sealed class LoadReservation : IDisposable
{
    internal LoadReservation(Replica replica, in LoadProfile load)
    {
        Replica = replica;
        Load = load;
        QueuedPrefillTokens = load.UncachedTokens;
        OutstandingTokens = load.OutputTokens;
        ReservedTokens = load.Tokens;
    }

    /// <summary>Room and remaining work follow an answer in steps of this many tokens.</summary>
    public const int ProgressTokens = 16;

    /// <summary>Where the room is.</summary>
    public Replica Replica { get; }

    /// <summary>What was asked at the choice.</summary>
    public LoadProfile Load { get; }

    internal long ReservedTokens { get; set; }

    /// <summary>Output tokens so far, over all sequences.</summary>
    internal long GeneratedTokens { get; set; }

    /// <summary>Prompt tokens that others in flight hold as well.</summary>
    internal long SharedTokens { get; set; }

    internal int QueuedPrefillTokens { get; set; }

    internal double OutstandingTokens { get; set; }

    internal bool IsReturned { get; set; }

    /// <summary>The client whose shares of the pool this counts for; set by <see cref="HoldFor"/>. Null: no shares are kept.</summary>
    internal HeldShares? Holder { get; private set; }

    /// <summary>How much of the pool it takes for that one.</summary>
    internal PoolShares Held { get; private set; }

    /// <summary>Its first token came.</summary>
    internal bool IsPromptComputed { get; set; }

    /// <summary>Somebody wants to hear of its first token.</summary>
    internal bool IsAwaited { get; set; }

#pragma warning disable CA1051, SA1401 // Written in place by the replica, under its lock.
    internal ServiceCourse Course;
#pragma warning restore CA1051, SA1401

    /// <summary>Place in its replica's list of what is in flight.</summary>
    internal int Index { get; set; }

    /// <summary>Name among those that hold blocks.</summary>
    internal int Id { get; set; }

    /// <summary>The answer has begun: the prompt is computed, its work is no longer ahead of others.</summary>
    public void OnFirstToken() => OnProgress(0, OutstandingTokens);

    /// <summary>The answer has grown: room and remaining work follow what is now believed.</summary>
    /// <param name="generatedTokens">Output tokens so far, over all sequences.</param>
    /// <param name="remainingTokens">Expected output tokens still to come, over all sequences.</param>
    public void OnProgress(long generatedTokens, double remainingTokens) => Replica.Advance(this, generatedTokens, remainingTokens);

    /// <summary>The answer came whole: the replica learns how fast it is. To be called before the room is returned; afterwards it does nothing.</summary>
    public void OnAnswered(in ServedAnswer answer) => Replica.Learn(this, answer);

    /// <summary>Counts for a client until the room is returned; before anybody else has the reservation.</summary>
    internal void HoldFor(HeldShares holder, in PoolShares shares)
    {
        (Holder, Held) = (holder, shares);
        holder.Add(shares);
    }

    /// <summary>Asks that <see cref="Replica.RoomReturned"/> be raised at the first token.</summary>
    /// <returns>False: it came already, or the room was returned.</returns>
    internal bool TryAwaitPrompt() => Replica.TryAwaitPrompt(this);

    /// <summary>Returns the room. Further calls do nothing.</summary>
    public void Dispose() => Replica.Return(this);
}
