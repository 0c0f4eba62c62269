using BenchmarkDotNet.Attributes;
using Gateway.Simulation;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does one step of the engine model cost in virtual time, by the sequences that decode in it? Each sequence is one token event; finished ones are replaced.</summary>
[MemoryDiagnoser]
public class EngineStepBenchmarks
{
    private static readonly EngineRequest Request = new() { PromptTokens = 64, OutputTokens = 400 };

    private readonly EngineModel _model = new(EngineProfiles.H100Llama8B);

    [Params(1, 32, 256)]
    public int Sequences { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        for (var i = 0; i < Sequences; i++)
        {
            _model.Submit(Request);
        }
    }

    [Benchmark]
    public TimeSpan Step()
    {
        var taken = _model.BeginStep();
        foreach (var token in _model.EndStep())
        {
            if (token.IsFinished)
            {
                _model.Submit(Request);
            }
        }
        return taken;
    }
}
