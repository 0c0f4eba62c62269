using Gateway.Replay.Estimates;
using Gateway.Requests;

namespace Gateway.Tests.Replay.Estimates;

/// <summary>Rows without a file behind them, and a forecaster that says what it is told.</summary>
internal static class LabelledRows
{
    public static LabelledRequest Row(int tokens, string source = "app", string model = "m", bool isCensored = false, ulong promptKey = 1, params int[] samples) => new()
    {
        Request = new InferenceRequest { Id = "1", Route = ApiRoute.ChatCompletions, Model = model, Body = new BodyFacts { Model = model } },
        Source = source,
        PromptKey = promptKey,
        OutputTokens = tokens,
        IsCensored = isCensored,
        Samples = samples,
    };

    public static ScoredRow Scored(LabelledRequest row, double median, double upper = double.NaN, RemainingForecast? remaining = null) =>
        new(row, new LengthForecast(median, median, double.IsNaN(upper) ? median : upper, remaining ?? RemainingForecast.None));
}

/// <summary>Writes down what it is asked and taught, and foretells how much it has learned.</summary>
internal sealed class RecordingForecaster : ILengthForecaster
{
    public string Name => "recording";

    public List<string> Calls { get; } = [];

    public int Lessons { get; private set; }

    public LengthForecast Forecast(LabelledRequest row)
    {
        Calls.Add($"forecast {row.OutputTokens}");
        return new LengthForecast(Lessons, Lessons, Lessons, RemainingForecast.None);
    }

    public void Train(LabelledRequest row) => Calls.Add($"train {row.OutputTokens}");

    public void Learn(LabelledRequest row)
    {
        Calls.Add($"learn {row.OutputTokens}");
        Lessons++;
    }
}
