using Gateway.Estimation.Learned;
using Gateway.Requests;

namespace Gateway.Estimation;

/// <summary>The running distribution of output lengths per application of a tenant, falling back to the tenant's, the model's and everybody's. Thread-safe.</summary>
public sealed class RunningLengths(EstimationOptions options) : IOutputLengthEstimator, IOutputLengthLearner, ILengthMemory
{
    private readonly Lock _gate = new();
    private readonly LengthKeys _keys = new(options);

    public string Name => "running";

    public LengthDistribution Predict(InferenceRequest request, string model) => new(_keys.Find(request, model).Lengths.Published, 1);

    public void Learn(InferenceRequest request, string model, int outputTokens, bool isCensored)
    {
        lock (_gate)
        {
            for (var key = _keys.Make(request, model); key is not null; key = key.Parent)
            {
                key.Lengths.Add(outputTokens, isCensored);
            }
        }
    }

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
}
