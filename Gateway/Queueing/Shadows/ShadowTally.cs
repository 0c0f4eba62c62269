namespace Gateway.Queueing.Shadows;

/// <summary>Pairs how a request fared in two worlds. Not thread-safe.</summary>
internal sealed class ShadowTally
{
    // Long enough for Poisson arrivals to even out, short enough to follow a day.
    private const long Memory = 1_000;

    private readonly Dictionary<long, Half> _halves = [];
    private double _sum;

    public long Answers { get; private set; }

    public double RegretSeconds { get; private set; }

    public double ActingSeconds { get; private set; }

    public double FirstTokenRegretSeconds { get; private set; }

    public double WholeRegretSeconds => Answers == 0 ? 0 : _sum / Answers;

    public long RefusalRegret { get; private set; }

    /// <summary>A request ended in one of the worlds.</summary>
    /// <param name="ending">How.</param>
    /// <param name="isActing">Whether under the policy in force.</param>
    public void OnEnded(in ShadowEnding ending, bool isActing)
    {
        if (!_halves.Remove(ending.Number, out var other))
        {
            _halves[ending.Number] = new Half(ending, isActing);
            return;
        }
        if (other.IsActing == isActing)
        {
            throw new InvalidOperationException("A request ended twice in one world.");
        }
        var (acting, shadow) = isActing ? (ending, other.Ending) : (other.Ending, ending);
        if (acting.AnswerSeconds - shadow.AnswerSeconds is not { } answer || acting.FirstTokenSeconds - shadow.FirstTokenSeconds is not { } first)
        {
            RefusalRegret += (acting.AnswerSeconds is null ? 1 : 0) - (shadow.AnswerSeconds is null ? 1 : 0);
            return;
        }
        var pace = 1.0 / Math.Min(++Answers, Memory);
        _sum += answer;
        ActingSeconds += pace * (acting.AnswerSeconds.GetValueOrDefault() - ActingSeconds);
        RegretSeconds += pace * (answer - RegretSeconds);
        FirstTokenRegretSeconds += pace * (first - FirstTokenRegretSeconds);
    }

    /// <summary>Both worlds begin anew: who was on the way ends in neither.</summary>
    public void Forget() => _halves.Clear();

    private readonly record struct Half(ShadowEnding Ending, bool IsActing);
}
