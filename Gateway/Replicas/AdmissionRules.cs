namespace Gateway.Replicas;

/// <summary>What a rule may look at: one replica under its lock.</summary>
public readonly ref struct ReplicaRoom
{
    public required int RunningRequests { get; init; }

    /// <summary>Sequences of ours and of others.</summary>
    public required int RunningSequences { get; init; }

    /// <summary>Sequences that it may run at once; null: no limit known.</summary>
    public required int? SlotLimit { get; init; }

    /// <summary>KV room in tokens; null: unknown.</summary>
    public required long? CapacityTokens { get; init; }

    /// <summary>Share of the capacity that may be given out, as configured.</summary>
    public required double CapacityShare { get; init; }

    /// <summary>What the engine's preemptions taught to add to that share.</summary>
    public required double ShareCorrection { get; init; }

    /// <summary>What others than this gateway have in the engine.</summary>
    public required ForeignLoad Foreign { get; init; }

    /// <summary>What is in flight there.</summary>
    internal TokenLedger InFlight { get; init; }

    /// <summary>What other gateways have in flight there, as they told; the first to end first.</summary>
    internal ReadOnlySpan<Course> Guests { get; init; }

    /// <summary>Whether the sequences of a request may run too.</summary>
    public bool HasSlots(in LoadProfile load) => SlotLimit is not { } slots || RunningSequences + load.Sequences <= slots * (1 - load.Headroom);
}

/// <summary>Says whether a replica may take one more request now. An empty replica always may: that is asked before.</summary>
public interface IAdmissionRule
{
    bool Admits(in LoadProfile load, in ReplicaRoom room);
}

/// <summary>Nothing is held: the engine queues.</summary>
public sealed class NoAdmission : IAdmissionRule
{
    public bool Admits(in LoadProfile load, in ReplicaRoom room) => true;
}

/// <summary>At most so many requests in flight at each replica.</summary>
public sealed class WindowAdmission(int requests) : IAdmissionRule
{
    public bool Admits(in LoadProfile load, in ReplicaRoom room) => room.RunningRequests < requests * (1 - load.Headroom) && room.HasSlots(load);
}

/// <summary>Past-Future: admits while the highest KV use that is still to come, with every answer at its mean remaining length, fits.</summary>
/// <param name="steersShare">Whether the share of the room follows the engine's preemptions.</param>
/// <remarks>
/// arXiv 2507.10150. Memory peaks just before an answer ends. In the order of remaining steps, longest first, the use at the end of answer j is what the
/// answers up to j hold then: their tokens now plus one a step for each of their sequences. The mean is right here; a high quantile holds far too much.
/// A prompt block that several hold counts once, and until the last answer of all has ended: never less than what is held.
/// </remarks>
public sealed class PastFutureAdmission(bool steersShare = false) : IAdmissionRule
{
    // The quick bounds add in another order than the exact walk: within this margin of the limit the walk decides.
    private const double RoundingTokens = 1;

    public bool Admits(in LoadProfile load, in ReplicaRoom room)
    {
        if (!room.HasSlots(load))
        {
            return false;
        }
        if (room.CapacityTokens is not { } capacity)
        {
            return true;
        }
        var remaining = Course.RemainingOf(load);
        var share = room.CapacityShare + (steersShare ? room.ShareCorrection : 0) - load.Headroom;
        // Only the number of foreign answers is known. Each is taken to be half way through an answer like this one.
        var limit = (share * capacity) - room.Foreign.Tokens - (room.Foreign.Sequences * remaining / load.Sequences / 2);
        var (inFlight, prompt) = (room.InFlight, load.PromptTokens + 1);
        var guests = room.Guests;
        var (guestsNow, guestsAtEnd) = SumOf(guests);
        // Most calls are decided by these two quick bounds. Looking up shared blocks and walking the courses is for those in between.
        if (inFlight.AtEndTokens + guestsAtEnd + prompt + remaining <= limit)
        {
            return true;
        }
        var mayOverlap = inFlight.MayOverlap(load);
        var least = mayOverlap ? Math.Max(0, prompt - ((double)load.Blocks.Length * load.BlockTokens)) : prompt;
        if (inFlight.HeldTokens + guestsNow > limit || inFlight.PeakWithin(remaining / load.Sequences) + least > limit + RoundingTokens)
        {
            return false;
        }
        var overlap = mayOverlap ? inFlight.Overlap(load) : default;
        var own = new Course(Math.Max(0, prompt - overlap.Tokens), remaining / load.Sequences, load.Sequences);
        return inFlight.AtEndTokens + guestsAtEnd + own.HeldTokens + remaining <= limit
            || (inFlight.HeldTokens + guestsNow + own.HeldTokens <= limit
                && Peak(inFlight.Courses, guests, own, inFlight.SharedTokens + overlap.MovedTokens, overlap.Sole?.Index ?? -1, overlap.MovedTokens, limit) <= limit);
    }

    private static (double Now, double AtEnd) SumOf(ReadOnlySpan<Course> courses)
    {
        double held = 0, coming = 0;
        foreach (ref readonly var course in courses)
        {
            held += course.HeldTokens;
            coming += course.Steps * course.Sequences;
        }
        return (held, held + coming);
    }

    /// <summary>The highest sum to come of what answers hold, in tokens.</summary>
    /// <param name="courses">Those in flight, the first to end first.</param>
    /// <param name="guests">Those of other gateways, likewise.</param>
    /// <param name="added">The one that asks.</param>
    /// <param name="shared">Tokens that several hold together.</param>
    /// <param name="sole">Index of the course that shares with the added one what it held alone; -1: none.</param>
    /// <param name="moved">How much that is.</param>
    /// <param name="enough">What is beyond this need not be known exactly: the first sum above it is returned.</param>
    internal static double Peak(
        ReadOnlySpan<Course> courses, ReadOnlySpan<Course> guests, in Course added, double shared, int sole, double moved, double enough = double.PositiveInfinity)
    {
        double peak = 0, held = shared;
        var (sequences, isAdded) = (0, false);
        var (own, guest) = (courses.Length - 1, guests.Length - 1);
        while (peak <= enough && (own >= 0 || guest >= 0 || !isAdded))
        {
            var steps = Math.Max(own >= 0 ? courses[own].Steps : -1, guest >= 0 ? guests[guest].Steps : -1);
            if (!isAdded && steps <= added.Steps)
            {
                (isAdded, steps) = (true, added.Steps);
                held += added.HeldTokens;
                sequences += added.Sequences;
            }
            else if (own >= 0 && courses[own].Steps >= steps)
            {
                held += courses[own].HeldTokens - (own == sole ? moved : 0);
                sequences += courses[own--].Sequences;
            }
            else
            {
                held += guests[guest].HeldTokens;
                sequences += guests[guest--].Sequences;
            }
            peak = Math.Max(peak, held + (sequences * steps));
        }
        return peak;
    }
}

/// <summary>The table of names: a new rule is one class and one line here.</summary>
public static class AdmissionRules
{
    /// <summary>Names that <c>queue.admission</c> takes.</summary>
    public static IReadOnlyCollection<string> Names { get; } = ["past_future", "window", "none"];

    /// <summary>The rule of a name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="windowRequests">Size of the window, where the rule has one.</param>
    /// <param name="steersShare">Whether the share of the room follows preemptions, where the rule has one.</param>
    /// <exception cref="KeyNotFoundException">An unknown name: the loader should have refused it.</exception>
    public static IAdmissionRule Create(string name, int windowRequests, bool steersShare) => name switch
    {
        "past_future" => new PastFutureAdmission(steersShare),
        "window" => new WindowAdmission(windowRequests),
        "none" => new NoAdmission(),
        _ => throw new KeyNotFoundException(name),
    };
}
