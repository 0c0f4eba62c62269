using Gateway.Replicas.Rates;

namespace Gateway.Tests.Replicas.Rates;

public sealed class FadingLineTests
{
    private readonly FadingLine _line = new(0.016, 0.0002, 64);

    [Theory]
    [InlineData(0.004, 0.00005)]
    [InlineData(0.016, 0.0002)]
    [InlineData(0.060, 0.0015)]
    public void Add_NoisyMeasurementsOfALine_FindsIt(double start, double slope)
    {
        Learn(start, slope, 300, noise: 0.1, seed: 1);

        Assert.InRange(_line.At(8) / (start + (slope * 8)), 0.95, 1.05);
        Assert.InRange(_line.At(100) / (start + (slope * 100)), 0.95, 1.05);
    }

    [Fact]
    public void Add_AlwaysTheSameLoad_KeepsTheShapeItStartedWith()
    {
        for (var i = 0; i < 200; i++)
        {
            _line.Add(40, 3 * (0.016 + (0.0002 * 40)));
        }

        Assert.InRange(_line.At(40), 0.0713, 0.0727);
        Assert.InRange(_line.At(1) / (3 * (0.016 + 0.0002)), 0.97, 1.03);
    }

    [Fact]
    public void Add_AStalledAnswer_HardlyMovesTheLine()
    {
        Learn(0.02, 0.0002, 200, noise: 0.05, seed: 2);
        var before = _line.At(30);

        _line.Add(30, 90);

        Assert.InRange(_line.At(30) / before, 0.99, 1.02);
    }

    [Fact]
    public void Add_OneInTwentyStalled_StaysNearTheRest()
    {
        var chance = new Random(3);
        for (var i = 0; i < 400; i++)
        {
            var load = chance.Next(1, 100);
            _line.Add(load, (i % 20 == 0 ? 50 : 1) * (0.02 + (0.0002 * load)));
        }

        Assert.InRange(_line.At(50) / 0.03, 0.95, 1.15);
    }

    [Theory]
    [InlineData(3.0)]
    [InlineData(0.33)]
    public void Add_AfterTheEngineChanged_FollowsWithinForty(double change)
    {
        Learn(0.02, 0.0002, 400, noise: 0.1, seed: 4);

        Learn(0.02 * change, 0.0002 * change, 40, noise: 0.1, seed: 5);

        Assert.InRange(_line.At(50) / (0.03 * change), 0.85, 1.15);
    }

    [Fact]
    public void Add_WhatIsNoMeasurement_IsIgnored()
    {
        foreach (var (load, seconds) in new (double Load, double Seconds)[] { (double.NaN, 1), (1, double.NaN), (-1, 1), (1, 0), (1, -1), (1, double.PositiveInfinity), (double.PositiveInfinity, 1) })
        {
            _line.Add(load, seconds);
        }

        Assert.Equal((0, 0.016, 0.0002), (_line.Count, _line.BaseSeconds, _line.SecondsPerUnit));
    }

    [Fact]
    public void Add_AnyMeasurements_NeverTurnsNegative()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var line = new FadingLine(0.016, 0.0002, 64);
            var chance = new Random(seed);
            for (var i = 0; i < 300; i++)
            {
                line.Add(chance.Next(0, 5000), Math.Exp((chance.NextDouble() * 30) - 15));

                Assert.True(line.BaseSeconds >= 0 && line.SecondsPerUnit >= 0 && line.At(10) > 0 && double.IsFinite(line.At(1e6)), $"seed {seed}, measurement {i}");
            }
        }
    }

    private void Learn(double start, double slope, int count, double noise, int seed)
    {
        var chance = new Random(seed);
        for (var i = 0; i < count; i++)
        {
            var load = chance.Next(1, 128);
            _line.Add(load, (start + (slope * load)) * (1 + (noise * ((2 * chance.NextDouble()) - 1))));
        }
    }
}
