using System.Globalization;
using BenchmarkDotNet.Attributes;
using Gateway.Estimation;
using Gateway.Requests;
using Gateway.Requests.Sketching;

namespace Gateway.Tests.Benchmarks;

/// <summary>What do foreseeing an answer's length and learning from it cost, the reading of the words included, beside the running distribution?</summary>
[MemoryDiagnoser]
public class EstimateBenchmarks
{
    private const int Prompts = 64;

    private readonly string[] _texts = new string[Prompts];
    private readonly int[] _lengths = new int[4_096];
    private readonly InferenceRequest[] _requests = new InferenceRequest[Prompts];
    private IOutputLengthEstimator _running = null!;
    private IOutputLengthEstimator _ensemble = null!;
    private int _next;

    [Params(256, 4_096, 32_768)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _running = OutputLengthEstimators.Create(new EstimationOptions { Estimator = "running" });
        _ensemble = OutputLengthEstimators.Create(new EstimationOptions { Estimator = "ensemble" });
        var chance = new Random(1);
        for (var i = 0; i < Prompts; i++)
        {
            _texts[i] = TextOf(chance, Bytes);
            _requests[i] = new InferenceRequest { Id = "b", Route = ApiRoute.ChatCompletions, Model = "m", TenantKey = 1, Body = Facts(_texts[i]) };
        }
        for (var i = 0; i < _lengths.Length; i++)
        {
            _lengths[i] = chance.Next(1, 900);
        }
        for (var i = 0; i < 40_000; i++)
        {
            ((IOutputLengthLearner)_ensemble).Learn(_requests[i % Prompts], "m", chance.Next(1, 900), false);
            ((IOutputLengthLearner)_running).Learn(_requests[i % Prompts], "m", chance.Next(1, 900), false);
        }
    }

    [Benchmark(Baseline = true)]
    public double Running() => Answer(_running, _requests[_next++ & (Prompts - 1)]);

    [Benchmark]
    public double Ensemble() => Answer(_ensemble, _requests[_next++ & (Prompts - 1)]);

    [Benchmark]
    public int Sketch()
    {
        var sketch = TextSketch.Of(_texts[_next++ & (Prompts - 1)]);
        var terms = sketch.Terms.Length;
        sketch.Return();
        return terms;
    }

    private double Answer(IOutputLengthEstimator estimator, InferenceRequest request)
    {
        var estimate = new OutputLengthEstimate(estimator.Predict(request, "m"), 0, 4_096);
        ((IOutputLengthLearner)estimator).Learn(request, "m", _lengths[_next & (_lengths.Length - 1)], false);
        return estimate.MeanTokens;
    }

    private static BodyFacts Facts(string text) => new() { Model = "m", PromptBytes = text.Length, Messages = 1, Sketch = TextSketch.Of(text) };

    // Words of five letters from a vocabulary of five thousand.
    private static string TextOf(Random chance, int bytes) => string.Join(' ', Enumerable.Range(0, bytes / 6).Select(_ =>
        "w" + ((int)Math.Pow(5_000, chance.NextDouble())).ToString("0000", CultureInfo.InvariantCulture)));
}
