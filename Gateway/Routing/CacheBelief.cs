using System.Runtime.InteropServices;
using Gateway.Replicas;

namespace Gateway.Routing;

/// <summary>What share of each replica's KV room is believed to keep prefixes, learned from what engines found in their caches of every few prompts. Not thread-safe.</summary>
/// <remarks>
/// Less than all where others use the engine too, or where it evicts in another order; more where it keeps what was evicted in other memory. An engine that tells
/// nothing is believed to keep all. What its metrics count goes before what its answers tell: vLLM and SGLang tell it only when started with
/// <c>--enable-prompt-tokens-details</c> or <c>--enable-cache-report</c>, and then leave it out of answers to prompts of which they found nothing.
/// </remarks>
internal sealed class CacheBelief
{
    private const double Step = 0.1;
    private const double LeastShare = 1 / 64.0;
    private const double MostShare = 8;

    // The prompt's own size in blocks and templates makes small differences that mean nothing.
    private const double Tolerance = 0.05;

    // One prompt alone may have met an eviction too late or too early.
    private const int JudgedPrompts = 32;

    // Of the prompt tokens that an engine counted so many may be others', or counted at another time: with more its answers say more.
    private const double MostUnexplained = 0.2;

    // What was sent a moment ago may not be computed yet: that it was not found says nothing about eviction.
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(10);

    private readonly List<Slot> _slots = [];

    /// <summary>Share of the replica's KV room, 1/64 to 8.</summary>
    public double ShareOf(int slot) => slot < _slots.Count ? _slots[slot].Share : 1;

    /// <summary>An answer told how much of its prompt was found.</summary>
    public void OnAnswered(int slot, int promptTokens, int believedTokens, TimeSpan believedAge, int cachedTokens)
    {
        ref var known = ref Of(slot);
        if (known.IsCounted)
        {
            return;
        }
        known.Told.Add(promptTokens, believedTokens, believedAge);
        known.ToldTokens += Math.Clamp(cachedTokens, 0, promptTokens);
        if (known.Told.Prompts >= JudgedPrompts)
        {
            known.Judge(known.Told, known.ToldTokens / Math.Max(1, known.Told.PromptTokens), unexplained: 0);
            (known.Told, known.ToldTokens) = (default, 0);
        }
    }

    /// <summary>A prompt is about to be sent: what is believed of it, and what the engine has counted by now of those before it.</summary>
    public void OnSent(int slot, int promptTokens, int believedTokens, TimeSpan believedAge, EngineReport report)
    {
        if (report.PrefixQueryTokens is not { } looked)
        {
            if (slot < _slots.Count)
            {
                ref var silent = ref Of(slot);
                (silent.CountedSince, silent.IsCounted) = (null, false);
            }
            return;
        }
        ref var known = ref Of(slot);
        // SGLang has no series of hits before its first one.
        var counters = new Counters(report.LoadReadAt, looked, report.PrefixHitTokens ?? 0);
        if (known.CountedSince is not { } since || counters.LookedTokens < since.LookedTokens || counters.FoundTokens < since.FoundTokens)
        {
            known.CountFrom(counters);
        }
        else if (known.Sent.Prompts >= JudgedPrompts && counters.ReadAt != since.ReadAt)
        {
            known.JudgeCounted(counters.LookedTokens - since.LookedTokens, counters.FoundTokens - since.FoundTokens);
            known.CountFrom(counters);
        }
        known.Sent.Add(promptTokens, believedTokens, believedAge);
    }

    public void Forget(int slot)
    {
        if (slot < _slots.Count)
        {
            Of(slot) = new Slot();
        }
    }

    private ref Slot Of(int slot)
    {
        while (_slots.Count <= slot)
        {
            _slots.Add(new Slot());
        }
        return ref CollectionsMarshal.AsSpan(_slots)[slot];
    }

    /// <summary>Prompt tokens that an engine had looked up, and found, at a reading.</summary>
    private readonly record struct Counters(long ReadAt, long LookedTokens, long FoundTokens);

    /// <summary>What was believed of some prompts.</summary>
    private struct Beliefs
    {
        public int Prompts;
        public double PromptTokens;
        public double BelievedTokens;
        public double UnsettledTokens;

        public void Add(int promptTokens, int believedTokens, TimeSpan believedAge)
        {
            Prompts++;
            PromptTokens += promptTokens;
            BelievedTokens += believedTokens;
            UnsettledTokens += believedAge < Settled ? believedTokens : 0;
        }
    }

    private struct Slot()
    {
        public double Share = 1;

        /// <summary>Prompts whose answers told how much was found, and how much that was.</summary>
        public Beliefs Told;
        public double ToldTokens;

        /// <summary>Prompts sent since the reading of the engine's counters from which on is counted; null: none was read.</summary>
        public Beliefs Sent;
        public Counters? CountedSince;

        /// <summary>Whether the counters account for what was sent.</summary>
        public bool IsCounted;

        public void CountFrom(Counters counters) => (Sent, CountedSince) = (default, counters);

        public void JudgeCounted(double lookedTokens, double foundTokens)
        {
            var tokens = Math.Max(1, Math.Max(lookedTokens, Sent.PromptTokens));
            var unexplained = Math.Abs(lookedTokens - Sent.PromptTokens) / tokens;
            IsCounted = unexplained <= MostUnexplained;
            if (IsCounted)
            {
                Judge(Sent, foundTokens / Math.Max(1, lookedTokens), unexplained);
            }
        }

        // What is not known of some tokens, settled or not, theirs or ours, may have been either way.
        public void Judge(in Beliefs believed, double foundShare, double unexplained)
        {
            var tokens = Math.Max(1, believed.PromptTokens);
            var (least, most) = (((believed.BelievedTokens - believed.UnsettledTokens) / tokens) - unexplained, (believed.BelievedTokens / tokens) + unexplained);
            var difference = foundShare - Math.Clamp(foundShare, least, most);
            if (Math.Abs(difference) > Tolerance)
            {
                Share = Math.Clamp(Share * Math.Pow(1 + (Step * Math.Clamp(difference, -1, 1)), JudgedPrompts), LeastShare, MostShare);
            }
        }
    }
}
