using Gateway.Queueing;
using Gateway.Replicas;

namespace Gateway.Forwarding.Attempts;

/// <summary>One try at one replica: its place there, its time and its answer. Whoever made it judges it, and leaves its place, when it is over.</summary>
/// <param name="admission">The turn that it has.</param>
/// <param name="answer">What goes by; an attempt that goes on with a stream adds to the answer of the one before.</param>
internal sealed class Attempt(in AdmissionResult admission, Answer answer)
{
    private bool _isJudged;
    private bool _isStopped;

    public LoadReservation Reservation { get; } = admission.Reservation!;

    /// <summary>The place, where a more urgent request may ask for it; null: it is kept.</summary>
    public Seat? Seat { get; } = admission.Seat;

    /// <summary>The request's key in the engine's scale; null: none.</summary>
    public int? EnginePriority { get; } = admission.EnginePriority;

    /// <summary>Prompt tokens believed cached at the replica.</summary>
    public int PrefixHitTokens { get; } = admission.PrefixHitTokens;

    /// <summary>How long before that part was sent there.</summary>
    public TimeSpan PrefixHitAge { get; } = admission.PrefixHitAge;

    public Answer Answer { get; } = answer;

    public Replica Replica => Reservation.Replica;

    /// <summary>Its time limits, from sending on; null: it was not sent.</summary>
    public AttemptClock? Clock { get; private set; }

    /// <summary>Whether a more urgent request asked for its place.</summary>
    public bool IsPreempted => Seat is { IsAsked: true };

    /// <summary>Its time limits begin.</summary>
    public AttemptClock Start(AttemptClock clock) => Clock = clock;

    /// <summary>Lets its answer begin; false: its place was asked for before that, so that it counts as preempted.</summary>
    public bool TryBegin(in AttemptResult result)
    {
        if (Seat is null || result.Failure is { Kind: FailureKind.ClientGone or FailureKind.ClientFault })
        {
            return true;
        }
        // A place that was asked for had its attempt stopped by the gateway: however that ended, it is no fault of the replica.
        return result.Response is null ? !Seat.IsAsked : Seat.TryBegin(result.MayContinue);
    }

    /// <summary>Tells the replica what the attempt says about it. The first verdict counts.</summary>
    public void Judge(Verdict verdict)
    {
        if (!_isJudged)
        {
            _isJudged = true;
            verdict.TellTo(Replica);
        }
    }

    /// <summary>Ends what is still under way, and with it the time limits: the engine sees the connection close. Further calls do nothing.</summary>
    public void Stop()
    {
        if (!_isStopped)
        {
            _isStopped = true;
            Clock?.Cancel();
            Clock?.Dispose();
        }
    }

    /// <summary>Gives the place back without a word about the replica.</summary>
    public void Abandon()
    {
        Judge(Verdict.Abandoned);
        Leave();
    }

    /// <summary>Returns the room and the place.</summary>
    public void Leave()
    {
        // The room is returned first, so that the request that asked for the place gets it.
        Reservation.Dispose();
        Seat?.Leave();
    }
}
