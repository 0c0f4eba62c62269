using System.Buffers;

namespace Gateway.Replicas;

/// <summary>What a rule may look at: one replica under its lock.</summary>
public readonly ref struct ReplicaRoom
{
    public required int RunningRequests { get; init; }

    public required int RunningSequences { get; init; }

    /// <summary>Sequences that it may run at once; null: no limit known.</summary>
    public required int? SlotLimit { get; init; }

    /// <summary>KV tokens in front of which the rule stops: the share of the capacity that may be given out. Null: capacity unknown.</summary>
    public required double? LimitTokens { get; init; }

    /// <summary>What is in flight there.</summary>
    public required ReadOnlySpan<LoadReservation> InFlight { get; init; }
}

/// <summary>Says whether a replica may take one more request now. An empty replica always may: that is asked before.</summary>
public interface IAdmissionRule
{
    /// <summary>Name in the configuration.</summary>
    string Name { get; }

    bool Admits(in LoadProfile load, in ReplicaRoom room);
}

/// <summary>Nothing is held: the engine queues.</summary>
public sealed class NoAdmission : IAdmissionRule
{
    public string Name => "none";

    public bool Admits(in LoadProfile load, in ReplicaRoom room) => true;
}

/// <summary>At most so many requests in flight at each replica.</summary>
public sealed class WindowAdmission(int requests) : IAdmissionRule
{
    public string Name => "window";

    public bool Admits(in LoadProfile load, in ReplicaRoom room) =>
        room.RunningRequests < requests && (room.SlotLimit is not { } slots || room.RunningSequences + load.Sequences <= slots);
}

/// <summary>Past-Future: admits while the highest KV use that is still to come, with every answer at its mean remaining length, fits.</summary>
/// <remarks>
/// arXiv 2507.10150. Memory peaks just before an answer ends. In the order of remaining steps, longest first, the use at the end of answer j is what the
/// answers up to j hold then: their tokens now plus one a step for each of their sequences. The mean is right here; a high quantile holds far too much.
/// </remarks>
public sealed class PastFutureAdmission : IAdmissionRule
{
    // The paper's margin: an answer is never believed to be closer to its end than this.
    private const double LeastRemainingTokens = 16;

    // An answer that outlived its expectation goes on for a tenth of what it has.
    private const double LeastRemainingShare = 0.1;
    private const int OnStack = 128;

    public string Name => "past_future";

    public bool Admits(in LoadProfile load, in ReplicaRoom room)
    {
        if (room.SlotLimit is { } slots && room.RunningSequences + load.Sequences > slots)
        {
            return false;
        }
        if (room.LimitTokens is not { } limit)
        {
            return true;
        }
        var remaining = Math.Max(LeastRemainingTokens, load.OutputTokens);
        double held = load.PromptTokens + 1;
        var atEnd = held + remaining;
        foreach (var reservation in room.InFlight)
        {
            held += Held(reservation);
            atEnd += Held(reservation) + Remaining(reservation);
        }
        // Most calls end here: the sorted sum is needed only between the two.
        return atEnd <= limit || (held <= limit && Peak(load, room.InFlight) <= limit);
    }

    /// <summary>The highest KV use to come, in tokens.</summary>
    internal static double Peak(in LoadProfile load, ReadOnlySpan<LoadReservation> inFlight)
    {
        var count = inFlight.Length + 1;
        var rented = count > OnStack ? ArrayPool<Course>.Shared.Rent(count) : null;
        var courses = (rented ?? stackalloc Course[OnStack])[..count];
        courses[0] = Course.Of(load.PromptTokens + 1, load.OutputTokens, load.Sequences);
        for (var i = 0; i < inFlight.Length; i++)
        {
            courses[i + 1] = Course.Of(Held(inFlight[i]), Remaining(inFlight[i]), inFlight[i].Load.Sequences);
        }
        var peak = Peak(courses);
        if (rented is not null)
        {
            ArrayPool<Course>.Shared.Return(rented);
        }
        return peak;
    }

    /// <summary>The highest sum to come of what answers hold. Sorts them.</summary>
    internal static double Peak(Span<Course> courses)
    {
        courses.Sort(static (a, b) => b.Steps.CompareTo(a.Steps));
        double peak = 0, held = 0;
        var sequences = 0;
        foreach (var course in courses)
        {
            held += course.HeldTokens;
            sequences += course.Sequences;
            peak = Math.Max(peak, held + (sequences * course.Steps));
        }
        return peak;
    }

    private static double Held(LoadReservation reservation) => reservation.ReservedTokens - reservation.OutstandingTokens + 1;

    // What was expected at the start less what came, as published, and not what a long answer is expected to go on for: with every answer at its conditional
    // mean all would seem to end together, and the peak of the sum is far above the sum of those that really end one by one.
    private static double Remaining(LoadReservation reservation)
    {
        var generated = Held(reservation) - 1 - reservation.Load.PromptTokens;
        return Math.Max(LeastRemainingTokens, Math.Max(reservation.Load.OutputTokens - generated, LeastRemainingShare * generated));
    }

    /// <summary>What one request holds now, and for how many steps each of its sequences grows by a token.</summary>
    internal readonly record struct Course(double HeldTokens, double Steps, int Sequences)
    {
        public static Course Of(double heldTokens, double outstandingTokens, int sequences) =>
            new(heldTokens, Math.Max(LeastRemainingTokens, outstandingTokens) / sequences, sequences);
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
    /// <exception cref="KeyNotFoundException">An unknown name: the loader should have refused it.</exception>
    public static IAdmissionRule Create(string name, int windowRequests) => name switch
    {
        "past_future" => new PastFutureAdmission(),
        "window" => new WindowAdmission(windowRequests),
        "none" => new NoAdmission(),
        _ => throw new KeyNotFoundException(name),
    };
}
