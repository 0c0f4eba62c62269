using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

public sealed class EstimateCalibrationTests
{
    private readonly EstimateCalibration _calibration = new();

    [Fact]
    public void Read_BeforeAnyAnswer_IsUnknown() => Assert.Null(_calibration.Read("llama"));

    [Fact]
    public void Read_SomeAnswers_TellsCoverageAndError()
    {
        _calibration.Record("llama", expectedTokens: 10, upperTokens: 20, actualTokens: 20);
        _calibration.Record("llama", expectedTokens: 10, upperTokens: 20, actualTokens: 21);
        _calibration.Record("llama", expectedTokens: 10, upperTokens: 20, actualTokens: 4);
        _calibration.Record("other", expectedTokens: 10, upperTokens: 20, actualTokens: 10_000);

        var reading = _calibration.Read("llama");

        Assert.Equal(new CalibrationReading(3, 2.0 / 3, 5, 9, 0.5), reading);
    }

    [Fact]
    public void Read_AnswersInAndOutOfOrder_TellsTheShareOfPairsInOrder()
    {
        Answer(expected: 10, actual: 5);
        Answer(expected: 20, actual: 50);
        Answer(expected: 30, actual: 8);
        Answer(expected: 5, actual: 8);
        Answer(expected: 5, actual: 9);

        // Right, wrong, no pair as both are equally long, and half as both were estimated alike.
        Assert.Equal(0.5, _calibration.Read("llama")!.Value.OrderedPairsRatio);

        void Answer(double expected, int actual) => _calibration.Record("llama", expected, 100, actual);
    }

    [Fact]
    public void Read_OneAnswer_KnowsNoOrder()
    {
        _calibration.Record("llama", 10, 20, 15);

        Assert.Null(_calibration.Read("llama")!.Value.OrderedPairsRatio);
    }

    [Fact]
    public void Read_MoreAnswersThanTheWindow_ForgetsTheOldest()
    {
        for (var i = 0; i < EstimateCalibration.WindowAnswers; i++)
        {
            _calibration.Record("llama", 10, 20, 1_000);
        }
        for (var i = 0; i < EstimateCalibration.WindowAnswers - 50; i++)
        {
            _calibration.Record("llama", 10, 20, 10);
        }

        Assert.Equal(0.9, _calibration.Read("llama")!.Value.CoverageRatio, 6);
        Assert.Equal(EstimateCalibration.WindowAnswers, _calibration.Read("llama")!.Value.Answers);
    }
}
