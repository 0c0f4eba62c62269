namespace Gateway.Replicas.Rates;

/// <summary>Tokens of an answer that came whole.</summary>
/// <param name="OutputTokens">Over all sequences.</param>
/// <param name="PromptTokens">As the engine reported; null: as estimated.</param>
/// <param name="CachedTokens">Of these found in its prefix cache, as reported; null: as believed.</param>
/// <param name="LastTokenAt">Timestamp of the clock.</param>
public readonly record struct ServedAnswer(int OutputTokens, int? PromptTokens, int? CachedTokens, long LastTokenAt);

/// <summary>Measures one replica's answers and learns its rates from them. Guarded by its replica's lock.</summary>
internal sealed class ServiceMeter
{
    // Shorter answers measure the network more than the engine.
    private const int LeastSteps = 8;

    // A step never takes less than this share of what was measured, however much prefill went on beside it.
    private const double LeastStepShare = 0.2;
    private const double DelayPace = 0.05;

    private readonly TimeProvider _time;
    private readonly FadingLine _firstToken;
    private readonly FadingLine _step;
    private readonly FadingLine _pace;
    private readonly double _startScale;
    private int _decoding;
    private double _sequenceSeconds;
    private long _countedAt;
    private long _prefilledTokens;
    private long _pendingTokens;
    private GatewayLoad _peers;
    private EngineReport _report = EngineReport.Empty;

    /// <param name="speed">Believed speed relative to <see cref="ServiceRates.Initial"/>, above 0.</param>
    /// <param name="time">The clock.</param>
    public ServiceMeter(double speed, TimeProvider time)
    {
        _time = time;
        _countedAt = time.GetTimestamp();
        Rates = ServiceRates.Of(speed);
        _startScale = Rates.StepScale;
        _firstToken = new FadingLine(Rates.FirstTokenSeconds, Rates.PrefillSecondsPerToken, usualLoad: 2048);
        _step = new FadingLine(Rates.StepBaseSeconds, Rates.StepSecondsPerSequence, usualLoad: 64);
        _pace = new FadingLine(Rates.StepBaseSeconds, _startScale, usualLoad: 64 * ServiceRates.Initial.StepSecondsPerSequence);
    }

    public ServiceRates Rates { get; private set; }

    /// <summary>A request was sent.</summary>
    /// <param name="reservation">Its room.</param>
    /// <param name="stepBeganAt">Timestamp since which the step in progress went on before.</param>
    /// <param name="unheardTokens">Prompt tokens in flight of which nobody hears when they are computed.</param>
    public void OnSent(LoadReservation reservation, long stepBeganAt, long unheardTokens)
    {
        var now = Count();
        var ahead = _pendingTokens + _peers.QueuedPrefillTokens;
        var course = new ServiceCourse
        {
            SentAt = now,
            AheadTokens = ahead,
            Join = StepJoin.Of(reservation.Load, Rates, Seconds(stepBeganAt, now), _decoding + _peers.Sequences, ahead + unheardTokens),
            PrefilledTokens = _prefilledTokens,
            Preemptions = _report.Preemptions,
        };
        if (reservation.Load.TellsFirstToken)
        {
            _pendingTokens += reservation.Load.UncachedTokens;
        }
        else
        {
            // The first token of a plain answer is not seen: it counts as decoding from the start, which it does most of the time.
            Begin(reservation.Load, ref course);
        }
        reservation.Course = course;
    }

    public void OnFirstToken(LoadReservation reservation)
    {
        ref var course = ref reservation.Course;
        if (course.IsDecoding)
        {
            return;
        }
        course.FirstTokenAt = Count();
        course.IsWaitSpoilt = course.Preemptions != _report.Preemptions;
        // Only where no other prompt was in its steps and the engine held it back in no queue, its wait tells how long the way to the engine is.
        var isAlone = _pendingTokens == reservation.Load.UncachedTokens && _prefilledTokens == course.PrefilledTokens;
        if (isAlone && !course.IsWaitSpoilt && _report.WaitingRequests is not > 0
            && course.Join.Learn(Rates.JoinSeconds, Seconds(course.SentAt, course.FirstTokenAt.Value)) is var joins && joins != Rates.JoinSeconds)
        {
            Rates = Rates with { JoinSeconds = joins };
        }
        _pendingTokens -= reservation.Load.UncachedTokens;
        _prefilledTokens += reservation.Load.UncachedTokens;
        Begin(reservation.Load, ref course);
    }

    /// <summary>The room is returned: the answer shares no step any more.</summary>
    public void OnReturned(LoadReservation reservation)
    {
        Count();
        if (reservation.Course is { IsDecoding: false })
        {
            _pendingTokens -= reservation.Load.UncachedTokens;
        }
        else
        {
            _decoding -= reservation.Load.Sequences;
        }
    }

    /// <summary>The engine says what it does now.</summary>
    public void OnReport(EngineReport report) => _report = report;

    /// <summary>Other gateways' answers share the steps, too.</summary>
    public void OnPeers(GatewayLoad peers)
    {
        Count();
        _peers = peers;
    }

    /// <summary>An answer came whole: its lesson.</summary>
    /// <param name="reservation">Whose.</param>
    /// <param name="answer">How much came.</param>
    public void OnAnswered(LoadReservation reservation, in ServedAnswer answer)
    {
        Count();
        var course = reservation.Course;
        var uncached = UncachedOf(reservation.Load, answer);
        var before = Rates.TimeToFirstToken(course.AheadTokens, uncached);
        var wait = course.FirstTokenAt is { } first ? Seconds(course.SentAt, first) : (double?)null;
        var (prefill, decode, delay) = (Rates.Prefill, Rates.Decode, Rates.StepDelaySeconds);
        // Where the engine queues requests, the wait for the first token says nothing about its speed.
        if (wait is > 0 && !course.IsWaitSpoilt && _report.WaitingRequests is not > 0)
        {
            prefill = prefill.With(before, wait.Value);
            _firstToken.Add(course.AheadTokens + uncached, wait.Value);
        }
        var began = course.FirstTokenAt ?? course.SentAt;
        LearnStep(reservation, answer.OutputTokens, Seconds(began, answer.LastTokenAt) - (wait is null ? before : 0), Seconds(began, _countedAt), ref decode, ref delay);
        Rates = Rates with
        {
            Prefill = prefill,
            Decode = decode,
            StepDelaySeconds = delay,
            FirstTokenSeconds = _firstToken.BaseSeconds,
            PrefillSecondsPerToken = _firstToken.SecondsPerUnit,
            StepBaseSeconds = _step.BaseSeconds,
            StepSecondsPerSequence = _step.SecondsPerUnit,
            StepScale = _startScale * _pace.Scale,
            Answers = Math.Min(int.MaxValue - 1, Rates.Answers) + 1,
        };
    }

    private void LearnStep(LoadReservation reservation, int outputTokens, double decodeSeconds, double span, ref RateCalibration calibration, ref double meanDelay)
    {
        var course = reservation.Course;
        var steps = (outputTokens / reservation.Load.Sequences) - 1;
        if (!course.IsDecoding || steps < LeastSteps || decodeSeconds <= 0 || span <= 0)
        {
            return;
        }
        // After a preemption the time includes waiting and computing again: used only until something better is known.
        if (course.Preemptions != _report.Preemptions && Rates.IsDecodeLearned)
        {
            return;
        }
        var batch = Math.Max(reservation.Load.Sequences, (_sequenceSeconds - course.SequenceSeconds) / span);
        calibration = calibration.With(Rates.DecodeSeconds(steps, batch), decodeSeconds);
        var step = decodeSeconds / steps;
        var prefilled = (_prefilledTokens - course.PrefilledTokens) / (double)steps;
        var delay = Math.Min((1 - LeastStepShare) * step, _firstToken.SecondsPerUnit * prefilled);
        _step.Add(batch, step - delay);
        // Prefill is priced the same for every engine here, not as learned: a learned price is off by a tenth, and an engine that spends half of its time on prefill would
        // then look faster, be sent more prompts, and look faster still.
        _pace.Add((ServiceRates.Initial.StepSecondsPerSequence * batch) + (ServiceRates.Initial.PrefillSecondsPerToken * prefilled), step);
        meanDelay += Math.Max(DelayPace, 1.0 / (_step.Count + 1)) * (delay - meanDelay);
    }

    private void Begin(in LoadProfile load, ref ServiceCourse course)
    {
        _decoding += load.Sequences;
        course.IsDecoding = true;
        course.SequenceSeconds = _sequenceSeconds;
        course.PrefilledTokens = _prefilledTokens;
        course.Preemptions = _report.Preemptions;
    }

    // Integrates how many sequences decode, up to now.
    private long Count()
    {
        var now = _time.GetTimestamp();
        _sequenceSeconds += (_decoding + _peers.Sequences) * Seconds(_countedAt, now);
        _countedAt = now;
        return now;
    }

    private double Seconds(long from, long to) => _time.GetElapsedTime(from, to).TotalSeconds;

    private static int UncachedOf(in LoadProfile load, in ServedAnswer answer)
    {
        var cached = answer.CachedTokens ?? (load.PromptTokens - load.UncachedTokens);
        return Math.Max(0, (answer.PromptTokens ?? load.PromptTokens) - cached);
    }
}

/// <summary>What its replica remembers of one request's service. Guarded by the replica's lock.</summary>
internal struct ServiceCourse
{
    public long SentAt;
    public long? FirstTokenAt;
    public long AheadTokens;
    public StepJoin Join;
    public bool IsDecoding;
    public double SequenceSeconds;
    public long PrefilledTokens;
    public long? Preemptions;
    public bool IsWaitSpoilt;
}
