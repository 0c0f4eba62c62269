using Gateway.Estimation.Learned;
using Gateway.Requests;

namespace Gateway.Estimation;

/// <summary>The running distribution of output lengths per application of a tenant, falling back to the tenant's, the model's and everybody's. Thread-safe.</summary>
public sealed class RunningLengths(EstimationOptions options) : IOutputLengthEstimator, IOutputLengthLearner, ILengthMemory, ISharedLengths
{
    private readonly Lock _gate = new();
    private readonly LengthKeys _keys = new(options);

    public string Name => "running";

    public Action<LengthLesson>? Learned { get; set; }

    public LengthDistribution Predict(InferenceRequest request, string model) => new(_keys.Find(request, model).Lengths.Published, 1);

    public void Learn(InferenceRequest request, string model, int outputTokens, bool isCensored)
    {
        var ids = RequestKeys.Of(request, model);
        Add(ids, outputTokens, isCensored);
        Learned?.Invoke(new LengthLesson(ids.Model, ids.Tenant, ids.Application, outputTokens, 0, isCensored));
    }

    public void LearnPeers(in LengthLesson lesson) =>
        Add(new RequestKeys(lesson.Model, lesson.Tenant, lesson.Application), lesson.OutputTokens, lesson.IsCensored);

    public void Export(BinaryWriter writer)
    {
        lock (_gate)
        {
            _keys.Export(writer);
        }
    }

    public void Import(BinaryReader reader)
    {
        lock (_gate)
        {
            _keys.Import(reader);
        }
    }

    private void Add(in RequestKeys ids, int outputTokens, bool isCensored)
    {
        lock (_gate)
        {
            for (var key = _keys.Make(ids); key is not null; key = key.Parent)
            {
                key.Lengths.Add(outputTokens, isCensored);
            }
        }
    }
}
