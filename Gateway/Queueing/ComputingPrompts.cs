using Gateway.Replicas;

namespace Gateway.Queueing;

/// <summary>A request in flight that computes the beginning of another's prompt.</summary>
/// <param name="Reservation">Its room.</param>
/// <param name="SharedTokens">Tokens that both would compute.</param>
/// <param name="GiveUpAt">The clock's timestamp at which nobody waits for its first token any longer.</param>
internal readonly record struct PrefixLeader(LoadReservation Reservation, long SharedTokens, long GiveUpAt);

/// <summary>Which prompts each replica computes now: what the prefix index believes it to hold of them is no hit before their first token. Bounded; guarded by its dispatcher's lock.</summary>
internal sealed class ComputingPrompts
{
    // More at once wait in the engine for those before them; whoever shares with these is sent as ever.
    private const int MostPerReplica = 64;

    private List<Prompt>?[] _slots = new List<Prompt>?[16];

    /// <summary>Notes that a replica begins to compute a prompt.</summary>
    /// <param name="reservation">Its room.</param>
    /// <param name="from">Its first block that the replica is not believed to hold.</param>
    /// <param name="giveUpAt">The clock's timestamp at which nobody waits for the first token any longer.</param>
    public void Note(LoadReservation reservation, int from, long giveUpAt)
    {
        var prompts = Of(reservation.Replica.Slot);
        Forget(prompts, reservation.Replica.Id);
        var blocks = reservation.Load.Blocks;
        // One that ended too early left the index with blocks that nobody computed.
        for (var i = prompts.Count - 1; i >= 0; i--)
        {
            if (prompts[i].IsLost && prompts[i].Shared(blocks) > 0)
            {
                from = Math.Min(from, prompts[i].From);
                prompts.RemoveAt(i);
            }
        }
        if (prompts.Count >= MostPerReplica)
        {
            prompts.RemoveAll(static prompt => prompt.IsLost);
        }
        if (from < blocks.Length && prompts.Count < MostPerReplica)
        {
            prompts.Add(new Prompt(reservation, from, giveUpAt));
        }
    }

    /// <summary>The one that computes most of a prompt's beginning at a replica; null: nobody there computes any of it.</summary>
    /// <param name="slot">The replica's.</param>
    /// <param name="id">The replica's.</param>
    /// <param name="load">Whose beginning.</param>
    public PrefixLeader? LeaderOf(int slot, string id, in LoadProfile load)
    {
        var prompts = Of(slot);
        Forget(prompts, id);
        PrefixLeader? leader = null;
        foreach (var prompt in prompts)
        {
            var tokens = prompt.IsLost ? 0 : (long)prompt.Shared(load.Blocks) * load.BlockTokens;
            if (tokens > (leader?.SharedTokens ?? 0))
            {
                leader = new PrefixLeader(prompt.Reservation, tokens, prompt.GiveUpAt);
            }
        }
        return leader;
    }

    // What is computed by one that had the slot before is computed elsewhere. No predicate: it would be allocated with each decision.
    private static void Forget(List<Prompt> prompts, string id)
    {
        for (var i = prompts.Count - 1; i >= 0; i--)
        {
            if ((!prompts[i].IsComputing && !prompts[i].IsLost) || prompts[i].Reservation.Replica.Id != id)
            {
                prompts.RemoveAt(i);
            }
        }
    }

    private List<Prompt> Of(int slot)
    {
        if (slot >= _slots.Length)
        {
            Array.Resize(ref _slots, Math.Max(2 * _slots.Length, slot + 1));
        }
        return _slots[slot] ??= [];
    }

    private readonly record struct Prompt(LoadReservation Reservation, int From, long GiveUpAt)
    {
        public bool IsComputing => Reservation is { IsReturned: false, IsPromptComputed: false };

        /// <summary>It ended before its first token. Of a plain answer nothing is heard between, so that its end says nothing.</summary>
        public bool IsLost => Reservation is { IsReturned: true, IsPromptComputed: false, Load.TellsFirstToken: true };

        /// <summary>Blocks that it computes and another prompt begins with too.</summary>
        public int Shared(ReadOnlySpan<ulong> blocks) =>
            From < blocks.Length ? blocks[From..].CommonPrefixLength(Reservation.Load.Blocks.AsSpan(From)) : 0;
    }
}
