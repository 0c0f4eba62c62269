using Gateway.Requests.Sketching;

namespace Gateway.Estimation.Learned;

/// <summary>Foresees by the most similar prompts of late: retrieval over hashed words, as ALISE (arXiv 2410.23537) does over embeddings.</summary>
/// <remarks>A word's list holds its newest prompts only, and only the rarest words of a prompt are looked up: constant time and room.</remarks>
/// <param name="learned">Prompts learned before: a gateway that never stops counts beyond what the lists can name.</param>
internal sealed class NeighbourExpert(long learned = 0) : ILengthExpert
{
    /// <summary>Prompts remembered.</summary>
    public const int MaxPrompts = 1 << 14;

    private const int Words = 1 << 15;
    private const int PerWord = 16;

    // Words looked at of one prompt.
    private const int MaxTerms = 48;

    private const int MaxNeighbours = 16;

    // Weight of the median against the neighbours: with neighbours of this total similarity, both count the same.
    private const double MedianWeight = 0.02;

    // Factor on the similarity of prompts of another application: equally similar, they tell less.
    private const float OtherApplicationFactor = 0.7f;

    // For each word the numbers of its newest prompts, truncated to 32 bits; 0: none.
    private readonly uint[] _lists = new uint[Words * PerWord];
    private readonly ushort[] _seen = new ushort[Words];
    private readonly Prompt[] _prompts = new Prompt[MaxPrompts];
    private long _count = learned;

    [ThreadStatic]
    private static Search? _ofThread;

    private record struct Prompt(uint Number, float Length, float LogLength, float Residual, uint Key);

    /// <summary>What one search needs; used over and over by one thread.</summary>
    private sealed class Search
    {
        public readonly float[] Scores = new float[MaxPrompts];
        public readonly uint[] Touched = new uint[MaxTerms * PerWord];
        public readonly (float Idf, uint Word)[] Terms = new (float, uint)[TextSketch.MaxTerms];
    }

    public double? Foresee(FeatureRow row, LengthKey key)
    {
        var search = _ofThread ??= new Search();
        if (row.Sketch is not { } sketch || Volatile.Read(ref _count) == 0)
        {
            return null;
        }
        var terms = Rarest(sketch, search, out var length);
        var touched = Collect(terms, search);
        Span<(float Score, int Prompt)> best = stackalloc (float, int)[MaxNeighbours];
        var found = Best(search, touched, length, (uint)key.Id, best);
        var middle = key.MedianLog;
        var (sum, weights) = (0.0, MedianWeight);
        foreach (var (score, prompt) in best[..found])
        {
            var weight = (double)score * score * score;
            ref readonly var other = ref _prompts[prompt];
            // Of another application only the deviation from its own median is taken over, not the length itself.
            sum += weight * (other.Key == (uint)key.Id ? other.LogLength - middle : other.Residual);
            weights += weight;
        }
        return middle + (sum / weights);
    }

    public void Learn(FeatureRow row, LengthKey key, double logLength, double weight)
    {
        if (row.Sketch is not { } sketch)
        {
            return;
        }
        var number = _count + 1;
        var terms = Rarest(sketch, _ofThread ??= new Search(), out var length);
        var name = (uint)number;
        _prompts[name & (MaxPrompts - 1)] = new Prompt(name, length, (float)logLength, (float)(weight * (logLength - key.MedianLog)), (uint)key.Id);
        foreach (var (_, word) in terms)
        {
            _lists[((int)word * PerWord) + (_seen[word] & (PerWord - 1))] = name;
        }
        foreach (var term in sketch.Terms)
        {
            ref var seen = ref _seen[WordOf(term)];
            // Halved before it overflows, keeping its place in the list.
            seen = seen == ushort.MaxValue ? (ushort)(short.MaxValue) : (ushort)(seen + 1);
        }
        Volatile.Write(ref _count, number);
    }

    private static uint WordOf(uint term) => (TextSketch.HashOf(term) * 2654435761u) >> 17;

    // The rarest words of a prompt, by how many prompts held them; length is that of the whole vector.
    private ReadOnlySpan<(float Idf, uint Word)> Rarest(TextSketch sketch, Search search, out float length)
    {
        var all = Math.Log(_count + 2.0);
        var squares = 0f;
        var count = 0;
        foreach (var term in sketch.Terms)
        {
            var word = WordOf(term);
            var idf = (float)Math.Max(0, all - Math.Log(_seen[word] + 1));
            squares += idf * idf;
            search.Terms[count++] = (idf, word);
        }
        length = MathF.Sqrt(squares);
        var terms = search.Terms.AsSpan(0, count);
        if (count > MaxTerms)
        {
            MemoryExtensions.Sort(terms, static (a, b) => b.Idf.CompareTo(a.Idf));
        }
        return terms[..Math.Min(count, MaxTerms)];
    }

    private int Collect(ReadOnlySpan<(float Idf, uint Word)> terms, Search search)
    {
        var (touched, newest) = (0, (uint)Volatile.Read(ref _count));
        foreach (var (idf, word) in terms)
        {
            foreach (var number in _lists.AsSpan((int)word * PerWord, PerWord))
            {
                if (number > 0 && newest - number < MaxPrompts)
                {
                    ref var score = ref search.Scores[number & (MaxPrompts - 1)];
                    if (score == 0)
                    {
                        search.Touched[touched++] = number;
                    }
                    score += (idf * idf) + 1e-9f;
                }
            }
        }
        return touched;
    }

    // Clears the scores on its way.
    private int Best(Search search, int touched, float length, uint key, Span<(float Score, int Prompt)> best)
    {
        var found = 0;
        foreach (var number in search.Touched.AsSpan(0, touched))
        {
            var at = (int)(number & (MaxPrompts - 1));
            var prompt = _prompts[at];
            var score = search.Scores[at] / Math.Max(1e-6f, length * prompt.Length) * (prompt.Key == key ? 1 : OtherApplicationFactor);
            search.Scores[at] = 0;
            if (prompt.Number != number || (found == best.Length && score <= best[found - 1].Score))
            {
                continue;
            }
            found = Math.Min(found + 1, best.Length);
            var place = found - 1;
            for (; place > 0 && best[place - 1].Score < score; place--)
            {
                best[place] = best[place - 1];
            }
            best[place] = (Math.Min(1, score), at);
        }
        return found;
    }
}
