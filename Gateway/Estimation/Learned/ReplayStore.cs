using System.Numerics;

namespace Gateway.Estimation.Learned;

/// <summary>Answers to learn from again: hashed features and lengths of the newest ones, in bounded memory. Used by one thread.</summary>
internal sealed class ReplayStore
{
    /// <summary>Most answers.</summary>
    public const int MaxAnswers = 1 << 15;

    // Of a long prompt the first features only.
    private const int MaxFeatures = 384;

    // Features of all answers: 16 MiB, each with its bucket and its value to 12 bits.
    private const int MaxStoredFeatures = 1 << 22;

    // Allocated in chunks, so that a young gateway is small and growing leaves no outgrown arrays to the garbage collector.
    private const int ChunkFeatures = 1 << 16;

    private const int ValueBits = 32 - FeatureRow.Bits;
    private const float Largest = 1;
    private const float Step = 2 * Largest / (1 << ValueBits);

    // Answers to replay are picked in steps of the golden section, which cover any range evenly: random picks would replay some answers often and some never.
    private const double GoldenSection = 0.6180339887498949;

    private readonly uint[] _buckets = new uint[MaxFeatures];
    private readonly float[] _values = new float[MaxFeatures];
    private readonly uint[]?[] _features = new uint[]?[MaxStoredFeatures / ChunkFeatures];
    private Answer[] _answers = new Answer[256];
    private double _place;
    private long _newest;
    private long _oldest;
    private long _end;

    private readonly record struct Answer(long Start, int Length, ulong Key, float LogLength, float Weight);

    /// <summary>An answer as it was learned from.</summary>
    public readonly ref struct Row
    {
        public ReadOnlySpan<uint> Buckets { get; init; }

        public ReadOnlySpan<float> Values { get; init; }

        /// <summary>Id of its key, which may be forgotten by now.</summary>
        public ulong Key { get; init; }

        public float LogLength { get; init; }

        public float Weight { get; init; }
    }

    public void Add(FeatureRow row, ulong key, float logLength, float weight)
    {
        var length = Math.Min(row.Buckets.Length, MaxFeatures);
        Grow();
        for (var i = 0; i < length; i++)
        {
            var value = (uint)Math.Clamp((int)MathF.Round((row.Values[i] + Largest) / Step), 0, (1 << ValueBits) - 1);
            var place = (int)((_end + i) & (MaxStoredFeatures - 1));
            (_features[place / ChunkFeatures] ??= new uint[ChunkFeatures])[place % ChunkFeatures] = (row.Buckets[i] << ValueBits) | value;
        }
        _answers[_newest & (_answers.Length - 1)] = new Answer(_end, length, key, logLength, weight);
        _newest++;
        _end += length;
        while (_newest - _oldest > _answers.Length || _end - _answers[_oldest & (_answers.Length - 1)].Start > MaxStoredFeatures)
        {
            _oldest++;
        }
    }

    /// <summary>One of them, each as often as the others; valid until the next call. At least one must have been added.</summary>
    public Row Draw()
    {
        _place = (_place + GoldenSection) % 1;
        var answer = _answers[(_oldest + (long)(_place * (_newest - _oldest))) & (_answers.Length - 1)];
        for (var done = 0; done < answer.Length;)
        {
            var place = (int)((answer.Start + done) & (MaxStoredFeatures - 1));
            var within = place % ChunkFeatures;
            var piece = _features[place / ChunkFeatures].AsSpan(within, Math.Min(answer.Length - done, ChunkFeatures - within));
            Unpack(piece, done);
            done += piece.Length;
        }
        return new Row
        {
            Buckets = _buckets.AsSpan(0, answer.Length),
            Values = _values.AsSpan(0, answer.Length),
            Key = answer.Key,
            LogLength = answer.LogLength,
            Weight = answer.Weight,
        };
    }

    private void Unpack(ReadOnlySpan<uint> packed, int at)
    {
        const uint ValueMask = (1 << ValueBits) - 1;
        var buckets = _buckets.AsSpan(at, packed.Length);
        var values = _values.AsSpan(at, packed.Length);
        var done = 0;
        for (; done <= packed.Length - Vector<uint>.Count; done += Vector<uint>.Count)
        {
            var several = new Vector<uint>(packed[done..]);
            (several >>> ValueBits).CopyTo(buckets[done..]);
            ((Vector.ConvertToSingle((several & new Vector<uint>(ValueMask)).As<uint, int>()) * Step) - new Vector<float>(Largest)).CopyTo(values[done..]);
        }
        for (; done < packed.Length; done++)
        {
            buckets[done] = packed[done] >> ValueBits;
            values[done] = ((packed[done] & ValueMask) * Step) - Largest;
        }
    }

    // Grows to its bound by doubling while nothing has been overwritten yet.
    private void Grow()
    {
        if (_oldest == 0 && _newest == _answers.Length && _answers.Length < MaxAnswers)
        {
            Array.Resize(ref _answers, _answers.Length * 2);
        }
    }
}
