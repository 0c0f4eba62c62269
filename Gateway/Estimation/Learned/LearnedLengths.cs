using Gateway.Requests;

namespace Gateway.Estimation.Learned;

/// <summary>Foresees the length of an answer from its keys, its numbers and its words, and learns from each that ends. Thread-safe.</summary>
/// <remarks>Experts each foresee a middle; per key they are corrected by what they were off by and count by how little that was.
/// Around the middle lies the key's own distribution of misses.</remarks>
public sealed class LearnedLengths : IOutputLengthEstimator, IOutputLengthLearner, ILengthMemory, ISharedLengths
{
    // A power high enough that nearly only the best expert counts, and low enough that two equally good ones share.
    private const double Sharpness = 8;

    private const double LongestLog = 12;
    private const double NeverJudged = 1e-100;

    private readonly Lock _gate = new();
    private readonly LengthKeys _keys;
    private readonly (int Index, ILengthExpert Expert)[] _experts;
    private long _answers;

    private LearnedLengths(string name, LengthKeys keys, params (int, ILengthExpert)[] experts) => (Name, _keys, _experts) = (name, keys, experts);

    public string Name { get; }

    public Action<LengthLesson>? Learned { get; set; }

    /// <summary>The linear model alone.</summary>
    public static LearnedLengths Linear(EstimationOptions options)
    {
        var keys = new LengthKeys(options);
        return new("linear", keys, (LengthExperts.Linear, new LinearExpert(keys)));
    }

    /// <summary>The neighbours alone.</summary>
    public static LearnedLengths Neighbours(EstimationOptions options) =>
        new("neighbours", new LengthKeys(options), (LengthExperts.Neighbours, new NeighbourExpert()), (LengthExperts.Median, new MedianExpert()));

    /// <summary>Every expert, each as far as it is right.</summary>
    public static LearnedLengths Ensemble(EstimationOptions options)
    {
        var keys = new LengthKeys(options);
        return new("ensemble", keys, (LengthExperts.Median, new MedianExpert()), (LengthExperts.Linear, new LinearExpert(keys)), (LengthExperts.Hint, new HintExpert()));
    }

    public LengthDistribution Predict(InferenceRequest request, string model)
    {
        var key = _keys.Find(request, model);
        var row = FeatureRow.OfThread;
        row.Fill(request, key, _keys.Everybody);
        return new LengthDistribution(key.Ratios.Published, Scale(Middle(row, key, stackalloc double[LengthExperts.Count])));
    }

    public void Learn(InferenceRequest request, string model, int outputTokens, bool isCensored)
    {
        lock (_gate)
        {
            var ids = RequestKeys.Of(request, model);
            var key = _keys.Make(ids);
            var row = FeatureRow.OfThread;
            row.Fill(request, key, _keys.Everybody);
            Span<double> foreseen = stackalloc double[LengthExperts.Count];
            var middle = Middle(row, key, foreseen);
            var ratio = outputTokens / Scale(middle);
            var logLength = Math.Log(1.0 + outputTokens);
            if (!isCensored || logLength > middle)
            {
                Judge(key, foreseen, logLength, outputTokens);
                var weight = key.WeightOf(++_answers);
                foreach (var (_, expert) in _experts)
                {
                    expert.Learn(row, key, logLength, weight);
                }
            }
            for (var at = key; at is not null; at = at.Parent)
            {
                at.Take(outputTokens, ratio, isCensored);
                at.Numbers.Add(row.Numbers);
            }
            Learned?.Invoke(new LengthLesson(ids.Model, ids.Tenant, ids.Application, outputTokens, (float)ratio, isCensored));
        }
    }

    public void LearnPeers(in LengthLesson lesson)
    {
        lock (_gate)
        {
            for (var at = _keys.Make(new RequestKeys(lesson.Model, lesson.Tenant, lesson.Application)); at is not null; at = at.Parent)
            {
                if (lesson.Ratio > 0)
                {
                    at.Take(lesson.OutputTokens, lesson.Ratio, lesson.IsCensored);
                }
                else
                {
                    at.Lengths.Add(lesson.OutputTokens, lesson.IsCensored);
                }
            }
        }
    }

    public void Export(BinaryWriter writer)
    {
        lock (_gate)
        {
            _keys.Export(writer);
            foreach (var linear in _experts.Select(expert => expert.Expert).OfType<LinearExpert>())
            {
                linear.Export(writer);
            }
        }
    }

    public void Import(BinaryReader reader)
    {
        lock (_gate)
        {
            _keys.Import(reader);
            foreach (var linear in _experts.Select(expert => expert.Expert).OfType<LinearExpert>())
            {
                linear.Import(reader);
            }
        }
    }

    // Tokens that one unit of the tallied ratios stands for.
    private static double Scale(double middle) => Math.Max(1, Math.Exp(Math.Clamp(middle, 0, LongestLog)) - 1) / LengthExperts.Unit;

    /// <summary>The experts' middle, ln(1 + length), each weighed by its loss under the key.</summary>
    /// <param name="row">The request.</param>
    /// <param name="key">Its key.</param>
    /// <param name="foreseen">Gets what each said, uncorrected; NaN: nothing.</param>
    private double Middle(FeatureRow row, LengthKey key, Span<double> foreseen)
    {
        foreseen.Fill(double.NaN);
        var (sum, weights) = (0.0, 0.0);
        foreach (var (index, expert) in _experts)
        {
            if (expert.Foresee(row, key) is { } said)
            {
                foreseen[index] = said;
                // An expert without a known loss counts for nothing beside those that have one.
                var weight = key.LossOf(index) is { } loss ? Math.Pow(Math.Max(1, loss), -Sharpness) : NeverJudged;
                sum += weight * (said + key.CorrectionOf(index));
                weights += weight;
            }
        }
        return weights > 0 ? sum / weights : key.MedianLog;
    }

    private static void Judge(LengthKey key, ReadOnlySpan<double> foreseen, double logLength, int outputTokens)
    {
        for (var i = 0; i < foreseen.Length; i++)
        {
            if (double.IsNaN(foreseen[i]))
            {
                continue;
            }
            var corrected = Math.Exp(Math.Clamp(foreseen[i] + key.CorrectionOf(i), 0, LongestLog)) - 1;
            for (var at = key; at is not null; at = at.Parent)
            {
                at.Judge(i, logLength - foreseen[i], Math.Abs(outputTokens - corrected));
            }
        }
    }
}
