namespace Gateway.Replicas;

/// <summary>What one request holds for itself now, and for how many steps each of its sequences grows by a token.</summary>
internal record struct Course(double HeldTokens, double Steps, int Sequences)
{
    /// <summary>The paper's margin: an answer is never believed to be closer to its end than this.</summary>
    public const double LeastRemainingTokens = 16;

    // An answer longer than expected is believed to go on for this share of its present length.
    private const double LeastRemainingShare = 0.1;

    /// <summary>Tokens that a request which has just been sent will still generate.</summary>
    public static double RemainingOf(in LoadProfile load) => Math.Max(LeastRemainingTokens, load.OutputTokens);

    // The remaining length is what was expected at the start less what came (as in the paper), not the mean of the lengths that are still possible: with the latter all
    // answers would seem to end together, and the predicted peak of the sum would be far too high.
    public static Course Of(LoadReservation reservation)
    {
        var (load, generated) = (reservation.Load, reservation.GeneratedTokens);
        var remaining = Math.Max(LeastRemainingTokens, Math.Max(load.OutputTokens - generated, LeastRemainingShare * generated));
        return new Course(Math.Max(0, load.PromptTokens + generated + 1 - reservation.SharedTokens), remaining / load.Sequences, load.Sequences);
    }

    /// <summary>Courses in few: what they hold now and at their ends is the same, neighbours end together.</summary>
    /// <param name="courses">The first to end first.</param>
    /// <param name="shared">Tokens that several of them hold together, until the last one ends.</param>
    /// <param name="most">How many at most, above 1.</param>
    public static Course[] Outline(ReadOnlySpan<Course> courses, double shared, int most)
    {
        var each = Math.Max(1, (courses.Length + most - 1) / most);
        var outline = new Course[(courses.Length + each - 1) / each];
        for (var i = 0; i < outline.Length; i++)
        {
            double held = 0, coming = 0;
            var sequences = 0;
            foreach (ref readonly var course in courses[(i * each)..Math.Min(courses.Length, (i + 1) * each)])
            {
                held += course.HeldTokens;
                coming += course.Steps * course.Sequences;
                sequences += course.Sequences;
            }
            outline[i] = new Course(held, coming / sequences, sequences);
        }
        if (outline.Length > 0)
        {
            outline[^1].HeldTokens += shared;
        }
        return outline;
    }
}

/// <summary>What is in flight at one replica: sums, and every answer's course in the order of its end. Guarded by its replica's lock.</summary>
internal sealed class TokenLedger
{
    private readonly InFlightBlocks _blocks = new();
    private readonly Action<LoadReservation> _refresh;
    private Course[] _courses = new Course[16];
    private LoadReservation[] _inFlight = new LoadReservation[16];
    private double[] _peaks = new double[16];
    private bool _arePeaksOld;
    private long _reservedTokens;
    private double _ownTokens;
    private double _comingTokens;

    public TokenLedger() => _refresh = Refresh;

    public int Requests { get; private set; }

    /// <summary>Answers being generated: more than the requests where one asks for several.</summary>
    public int Sequences { get; private set; }

    /// <summary>KV room given out: prompts, what came and what is expected; a prompt block once however many hold it.</summary>
    public long ReservedTokens => Math.Max(0, _reservedTokens - _blocks.RepeatedTokens);

    /// <summary>Prompt tokens sent and not yet computed.</summary>
    public long QueuedPrefillTokens { get; private set; }

    /// <summary>Of them, those of plain answers: nothing tells when they are computed, and they count until the end.</summary>
    public long UnheardPrefillTokens { get; private set; }

    /// <summary>Expected output tokens still to come.</summary>
    public double OutstandingTokens { get; private set; }

    /// <summary>Prompt tokens that two requests or more hold together: there until the last of them has ended.</summary>
    public long SharedTokens => _blocks.SharedTokens;

    /// <summary>Tokens held now, shared ones once.</summary>
    public double HeldTokens => SharedTokens + _ownTokens;

    /// <summary>Tokens held if all answers ended together: no peak is higher.</summary>
    public double AtEndTokens => HeldTokens + _comingTokens;

    /// <summary>The courses, the first to end first.</summary>
    public ReadOnlySpan<Course> Courses => _courses.AsSpan(0, Requests);

    /// <summary>Which steps those in flight are meant to share.</summary>
    public StepLimits StepLimits { get; } = new();

    /// <summary>Prompt blocks held.</summary>
    public int Blocks => _blocks.Count;

    /// <summary>What a prompt shares with those in flight.</summary>
    public PromptOverlap Overlap(in LoadProfile load) => _blocks.Find(load);

    /// <summary>Whether a prompt may share anything: cheap, and sometimes true of one that does not.</summary>
    public bool MayOverlap(in LoadProfile load) => _blocks.MayFind(load);

    /// <summary>The highest sum that those in flight will hold within so many steps, plus one token a step for an answer that is added: a lower bound of the peak with it.</summary>
    public double PeakWithin(double steps)
    {
        if (_arePeaksOld)
        {
            FindPeaks();
        }
        var (ended, beyond) = (0, Requests);
        while (ended < beyond)
        {
            var middle = (ended + beyond) / 2;
            (ended, beyond) = _courses[middle].Steps <= steps ? (middle + 1, beyond) : (ended, middle);
        }
        return ended == 0 ? HeldTokens : _peaks[ended - 1];
    }

    public void Add(LoadReservation reservation)
    {
        if (Requests == _courses.Length)
        {
            Array.Resize(ref _courses, 2 * Requests);
            Array.Resize(ref _inFlight, 2 * Requests);
            Array.Resize(ref _peaks, 2 * Requests);
        }
        _blocks.Add(reservation, _refresh);
        Sequences += reservation.Load.Sequences;
        StepLimits.Add(reservation.Load.StepLimitSeconds);
        _reservedTokens += reservation.ReservedTokens;
        QueuePrefill(reservation, 1);
        OutstandingTokens += reservation.OutstandingTokens;
        Put(Requests++, reservation, Course.Of(reservation));
        Sum(_courses[Requests - 1], 1);
        Settle(Requests - 1);
    }

    /// <summary>The prompt is computed.</summary>
    public void EndPrefill(LoadReservation reservation)
    {
        QueuePrefill(reservation, -1);
        reservation.QueuedPrefillTokens = 0;
    }

    private void QueuePrefill(LoadReservation reservation, int sign)
    {
        QueuedPrefillTokens += sign * reservation.QueuedPrefillTokens;
        UnheardPrefillTokens += reservation.Load.TellsFirstToken ? 0 : sign * reservation.QueuedPrefillTokens;
    }

    /// <summary>The answer grew.</summary>
    /// <returns>Whether its room shrank.</returns>
    public bool Grow(LoadReservation reservation, long generatedTokens, double remainingTokens)
    {
        OutstandingTokens += remainingTokens - reservation.OutstandingTokens;
        reservation.OutstandingTokens = remainingTokens;
        if (generatedTokens <= 0)
        {
            return false;
        }
        var reserved = reservation.Load.PromptTokens + generatedTokens + (long)Math.Ceiling(remainingTokens);
        var shrank = reserved < reservation.ReservedTokens;
        _reservedTokens += reserved - reservation.ReservedTokens;
        reservation.ReservedTokens = reserved;
        reservation.GeneratedTokens = generatedTokens;
        Refresh(reservation);
        return shrank;
    }

    public void Remove(LoadReservation reservation)
    {
        var index = reservation.Index;
        Sum(_courses[index], -1);
        for (Requests--; index < Requests; index++)
        {
            Put(index, _inFlight[index + 1], _courses[index + 1]);
        }
        _inFlight[Requests] = null!;
        _blocks.Remove(reservation, _refresh);
        Sequences -= reservation.Load.Sequences;
        StepLimits.Remove(reservation.Load.StepLimitSeconds);
        _reservedTokens -= reservation.ReservedTokens;
        QueuePrefill(reservation, -1);
        OutstandingTokens = Math.Max(0, OutstandingTokens - reservation.OutstandingTokens);
        if (Requests == 0)
        {
            // Sums of fractions accumulate rounding errors: an idle replica is reset to exactly no work.
            (OutstandingTokens, _comingTokens) = (0, 0);
        }
    }

    private void Refresh(LoadReservation reservation)
    {
        var index = reservation.Index;
        Sum(_courses[index], -1);
        _courses[index] = Course.Of(reservation);
        Sum(_courses[index], 1);
        Settle(index);
    }

    private void Sum(in Course course, int sign)
    {
        _ownTokens += sign * course.HeldTokens;
        _comingTokens += sign * course.Steps * course.Sequences;
        _arePeaksOld = true;
    }

    // For each course the highest sum at its end or before, with one sequence more. Kept until a course changes: a full replica is asked far more often.
    private void FindPeaks()
    {
        double held = SharedTokens;
        var sequences = 1;
        for (var i = Requests - 1; i >= 0; i--)
        {
            held += _courses[i].HeldTokens;
            sequences += _courses[i].Sequences;
            _peaks[i] = held + (sequences * _courses[i].Steps);
        }
        for (var i = 1; i < Requests; i++)
        {
            _peaks[i] = Math.Max(_peaks[i], _peaks[i - 1]);
        }
        _arePeaksOld = false;
    }

    private void Settle(int index)
    {
        for (; index > 0 && _courses[index - 1].Steps > _courses[index].Steps; index--)
        {
            Swap(index, index - 1);
        }
        for (; index < Requests - 1 && _courses[index + 1].Steps < _courses[index].Steps; index++)
        {
            Swap(index, index + 1);
        }
    }

    private void Swap(int a, int b)
    {
        var (reservation, course) = (_inFlight[a], _courses[a]);
        Put(a, _inFlight[b], _courses[b]);
        Put(b, reservation, course);
    }

    private void Put(int index, LoadReservation reservation, in Course course)
    {
        _inFlight[index] = reservation;
        _courses[index] = course;
        reservation.Index = index;
    }
}
