using Gateway.Replicas;

namespace Gateway.Queueing;

/// <summary>Whether a more urgent request that finds no room may take the place of one that has it.</summary>
public enum PreemptMode
{
    /// <summary>Never.</summary>
    Off,

    /// <summary>While nothing of the answer went to its client.</summary>
    BeforeFirstByte,

    /// <summary>Also later, where the answer can be continued from the text so far.</summary>
    Continue,
}

/// <summary>The place at a replica of a request that may have to give it up to a more urgent one. Whoever holds it says when its answer begins and when it left. Thread-safe.</summary>
public sealed class Seat
{
    private readonly Seats _seats;
    private volatile SeatState _state;

    internal Seat(Seats seats, Waiter waiter, LoadReservation reservation)
    {
        _seats = seats;
        Reservation = reservation;
        Priority = (int)waiter.Request.Priority;
        (ArrivedAt, Rank, Sequence) = (waiter.ArrivedAt, waiter.Rank, waiter.Sequence);
        var before = waiter.Constraints.GaveUp;
        (TimesGivenUp, ExpectedTokens) = before is null ? (0, waiter.Estimate.OutputTokens) : (before.TimesGivenUp + 1, before.ExpectedTokens);
        EarlierTokens = before?.GeneratedTokens ?? 0;
    }

    /// <summary>Whether it must be given up: the answer has to stop, and its request to come back.</summary>
    public bool IsAsked => State == SeatState.Asked;

    internal LoadReservation Reservation { get; }

    internal int Priority { get; }

    internal TimeSpan ArrivedAt { get; }

    internal double Rank { get; }

    internal long Sequence { get; }

    /// <summary>How often its request gave up another.</summary>
    internal int TimesGivenUp { get; }

    /// <summary>The answer's length as it was expected at first.</summary>
    internal double ExpectedTokens { get; }

    private long EarlierTokens { get; }

    /// <summary>Tokens of the answer so far, those from earlier places included.</summary>
    internal long GeneratedTokens => EarlierTokens + Reservation.GeneratedTokens;

    internal Action? Vacate { get; set; }

    /// <summary>Written by the seats under their lock, read by its holder at every token.</summary>
    internal SeatState State { get => _state; set => _state = value; }

    /// <summary>Who hears, on another's thread, that the place must be given up. At once where that was asked already.</summary>
    public void OnAsked(Action vacate) => _seats.Attend(this, vacate);

    /// <summary>The first byte is about to go to the client.</summary>
    /// <param name="mayContinue">Whether the answer could be stopped and continued elsewhere.</param>
    /// <returns>False: the place was asked for before, and the answer must not begin.</returns>
    public bool TryBegin(bool mayContinue) => _seats.TryBegin(this, mayContinue);

    /// <summary>The answer cannot be stopped where it is: the place is kept to its end.</summary>
    public void Keep() => _seats.Keep(this);

    /// <summary>The room has been returned. Further calls do nothing.</summary>
    public void Leave() => _seats.Remove(this);
}

/// <summary>What may happen to a seat.</summary>
internal enum SeatState
{
    /// <summary>Nothing has gone to the client.</summary>
    Waiting,

    /// <summary>The answer has begun and could be continued elsewhere.</summary>
    Begun,

    /// <summary>It must be given up.</summary>
    Asked,

    /// <summary>It is kept, or left.</summary>
    Over,
}
