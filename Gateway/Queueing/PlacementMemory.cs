using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>What some policies want to know of earlier choices: whose turn was last, who got how much prefill lately, what requests are like. Guarded by its dispatcher's lock.</summary>
internal sealed class PlacementMemory(TimeProvider time)
{
    // Preble's window.
    private const double WindowSeconds = 180;

    // Of a replica that was just found nobody knows how many go there: its first requests are no rush.
    private const double LeastSeconds = WindowSeconds / 20;

    // Half of what is known is gone after about seventy requests.
    private const double Smoothing = 0.01;

    // A cold replica gets something at once, or nothing would warm it.
    private const double LeastWarmth = 0.1;

    private Slot[] _slots = new Slot[16];
    private long _choices;
    private TrafficMeans _traffic = new(500, 250);

    /// <summary>What requests are like lately.</summary>
    public TrafficMeans Traffic => _traffic;

    /// <summary>Fills in what is remembered of a candidate's slot; one that came up lately is told apart.</summary>
    /// <param name="candidate">The replica as it is now.</param>
    /// <param name="slowStart">How long it counts so.</param>
    /// <param name="now">The clock's timestamp, read once for all candidates.</param>
    public void Recall(ref Candidate candidate, TimeSpan slowStart, long now)
    {
        ref var slot = ref Of(candidate.Replica.Slot);
        candidate.Coldness = ColdnessOf(ref slot, candidate.Replica, slowStart, now);
        candidate.StepElapsedSeconds = Math.Max(0, time.GetElapsedTime(candidate.Replica.StepBeganAt, now).TotalSeconds);
        candidate.LastChosen = slot.LastChosen;
        candidate.WaitingForIt = slot.WaitingForIt;
        RecallRecent(ref candidate, ref slot, now);
    }

    /// <summary>Notes that a replica gets no work: when it does again, it came up.</summary>
    public void OnAway(int slot) => Of(slot).Replica = null;

    /// <summary>Notes that one more, or one less, waits for a full replica.</summary>
    public void OnWaiting(int slot, int change) => Of(slot).WaitingForIt += change;

    /// <summary>Notes a choice.</summary>
    public void OnChosen(in Candidate candidate, in RequestEstimate estimate)
    {
        ref var slot = ref Of(candidate.Replica.Slot);
        var now = time.GetTimestamp();
        slot.Recent = RecentOf(slot, now).Plus(Math.Max(0, estimate.PromptTokens - candidate.PrefixHitTokens));
        slot.At = now;
        slot.LastChosen = ++_choices;
        _traffic = new TrafficMeans(
            Smoothed(_traffic.MeanPromptTokens, estimate.PromptTokens),
            Smoothed(_traffic.MeanOutputTokens, estimate.OutputTokens),
            Smoothed(_traffic.HitShare, candidate.PrefixHitTokens / (double)Math.Max(1, estimate.PromptTokens)));
    }

    private static double Smoothed(double mean, double value) => mean + (Smoothing * (value - mean));

    // Seen only when something is to be placed: one that was away in between and that nobody missed is not cold. Nor are those that were there from the start,
    // since nothing went on before that a sudden share could upset.
    private double ColdnessOf(ref Slot slot, in ReplicaSnapshot replica, TimeSpan slowStart, long now)
    {
        if (!replica.AcceptsWork || !ReferenceEquals(slot.Replica, replica.Id))
        {
            slot.Replica = replica.AcceptsWork ? replica.Id : null;
            slot.UpSince = _choices == 0 ? null : now;
        }
        return slot.UpSince is not { } since || time.GetElapsedTime(since, now) is var elapsed && elapsed >= slowStart ? 0
            : (1 / Math.Max(LeastWarmth, elapsed / slowStart)) - 1;
    }

    private void RecallRecent(ref Candidate candidate, ref Slot slot, long now)
    {
        if (!ReferenceEquals(slot.Counted, candidate.Replica.Id))
        {
            // Another has the slot: what its predecessor was given is not its own.
            (slot.Counted, slot.Recent, slot.At) = (candidate.Replica.Id, default, now);
        }
        var recent = RecentOf(slot, now);
        candidate.RecentPrefillTokens = recent.PrefillTokens;
        candidate.RecentRequests = recent.Requests;
        candidate.RecentSeconds = Math.Max(LeastSeconds, recent.Seconds);
    }

    private RecentLoad RecentOf(in Slot slot, long now) => slot.Recent.Faded(Math.Exp(-time.GetElapsedTime(slot.At, now).TotalSeconds / WindowSeconds));

    private ref Slot Of(int slot)
    {
        if (slot >= _slots.Length)
        {
            Array.Resize(ref _slots, Math.Max(2 * _slots.Length, slot + 1));
        }
        return ref _slots[slot];
    }

    private struct Slot
    {
        public int WaitingForIt;
        public string? Replica;
        public long? UpSince;
        public long LastChosen;
        public string? Counted;
        public RecentLoad Recent;
        public long At;
    }

    /// <summary>What a replica was given lately, older requests counting less.</summary>
    /// <param name="PrefillTokens">Uncached prompt tokens.</param>
    /// <param name="Requests">Requests.</param>
    /// <param name="Seconds">Seconds that both stand for, at most the window.</param>
    private readonly record struct RecentLoad(double PrefillTokens, double Requests, double Seconds)
    {
        public RecentLoad Faded(double left) => new(PrefillTokens * left, Requests * left, WindowSeconds - ((WindowSeconds - Seconds) * left));

        public RecentLoad Plus(int prefillTokens) => this with { PrefillTokens = PrefillTokens + prefillTokens, Requests = Requests + 1 };
    }
}
