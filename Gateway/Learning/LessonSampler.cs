using Gateway.Estimation.Learned;

namespace Gateway.Learning;

/// <summary>Which answers are learned from: all at ordinary rates, and above <see cref="PerSecond"/> an even share of them, so that learning costs no more however fast they come. Thread-safe.</summary>
/// <remarks>The share follows the rate of the second before and not the place within a burst, where short answers come first: each answer of a second has the same chance.</remarks>
internal sealed class LessonSampler(TimeProvider time)
{
    /// <summary>Lessons a second, about. At 10 to 30 µs each they take a hundredth of a processor.</summary>
    public const int PerSecond = 500;

    private readonly Lock _gate = new();
    private long _since = time.GetTimestamp();
    private ulong _number;
    private long _answers;
    private double _share = 1;

    /// <summary>Whether the answer that just ended is to be learned from.</summary>
    public bool Takes()
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            var seconds = time.GetElapsedTime(_since, now).TotalSeconds;
            if (seconds >= 1)
            {
                _share = PerSecond * seconds / Math.Max(1, _answers);
                (_since, _answers) = (now, 0);
            }
            _answers++;
            // Pseudo-random rather than every n-th: with answers of two kinds in turn, every second one would always be of the same kind.
            return Hash.Mix(++_number) < _share * ulong.MaxValue;
        }
    }
}
