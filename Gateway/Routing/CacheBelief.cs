using System.Runtime.InteropServices;
using Gateway.Replicas;

namespace Gateway.Routing;

/// <summary>What share of each replica's KV room is believed to keep prefixes, learned from what engines found in their caches of every few prompts. Not thread-safe.</summary>
/// <remarks>
/// Less than all where others use the engine too, or where it evicts in another order; more where it keeps what was evicted in other memory. An engine that tells
/// nothing is believed to keep all. Most tell it with each answer; those whose answers do not (vLLM without <c>--enable-prompt-tokens-details</c>, SGLang
/// without <c>--enable-cache-report</c>) still count it.
/// </remarks>
internal sealed class CacheBelief
{
    private const double Step = 0.1;
    private const double LeastShare = 1 / 64.0;
    private const double MostShare = 8;

    // The prompt's own size in blocks and templates makes small differences that mean nothing.
    private const double Tolerance = 0.05;

    // One prompt alone may have met an eviction too late or too early; and an engine counts those in flight a moment later than they were sent.
    private const int JudgedPrompts = 32;

    // An engine that looked up much more, or less, than it was sent from here counts prompts of which nothing was believed.
    private const double MostForeign = 1.4;

    // What was sent a moment ago may not be computed yet: that it was not found says nothing about eviction.
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(10);

    private readonly List<Slot> _slots = [];

    /// <summary>Share of the replica's KV room, 1/64 to 8.</summary>
    public double ShareOf(int slot) => slot < _slots.Count ? _slots[slot].Share : 1;

    /// <summary>An answer told how much of its prompt was found.</summary>
    public void OnAnswered(int slot, int promptTokens, int believedTokens, TimeSpan believedAge, int cachedTokens)
    {
        ref var known = ref Of(slot);
        known.Told.Add(promptTokens, believedTokens, believedAge);
        known.FoundTokens += cachedTokens;
        if (known.Told.Prompts >= JudgedPrompts)
        {
            known.Judge(known.Told, known.FoundTokens / Math.Max(1, known.Told.PromptTokens));
            (known.Told, known.FoundTokens, known.AnswersTell) = (default, 0, true);
        }
    }

    /// <summary>A prompt is about to be sent: what is believed of it, and what the engine has counted by now of those before it.</summary>
    public void OnSent(int slot, int promptTokens, int believedTokens, TimeSpan believedAge, EngineReport report)
    {
        if (report is not { PrefixQueryTokens: { } looked, PrefixHitTokens: { } found })
        {
            return;
        }
        ref var known = ref Of(slot);
        if (known.CountedSince is not { PrefixQueryTokens: { } lookedBefore, PrefixHitTokens: { } foundBefore } since || looked < lookedBefore || found < foundBefore)
        {
            (known.Sent, known.CountedSince) = (default, report);
        }
        else if (known.Sent.Prompts >= JudgedPrompts && report.LoadReadAt != since.LoadReadAt)
        {
            var foreign = (looked - lookedBefore) / Math.Max(1, known.Sent.PromptTokens);
            if (!known.AnswersTell && foreign is < MostForeign and > 1 / MostForeign)
            {
                known.Judge(known.Sent, (found - foundBefore) / (double)(looked - lookedBefore));
            }
            (known.Sent, known.CountedSince) = (default, report);
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
        public Beliefs Told;
        public double FoundTokens;
        public bool AnswersTell;
        public Beliefs Sent;
        public EngineReport? CountedSince;

        public void Judge(in Beliefs believed, double foundShare)
        {
            var tokens = Math.Max(1, believed.PromptTokens);
            var difference = foundShare - Math.Clamp(foundShare, (believed.BelievedTokens - believed.UnsettledTokens) / tokens, believed.BelievedTokens / tokens);
            if (Math.Abs(difference) > Tolerance)
            {
                Share = Math.Clamp(Share * Math.Pow(1 + (Step * Math.Clamp(difference, -1, 1)), believed.Prompts), LeastShare, MostShare);
            }
        }
    }
}
