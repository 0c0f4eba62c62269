using Gateway.Estimation;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Tests;

public sealed class SnapshotFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("snapshot").FullName;
    private readonly EstimationOptions _options;

    public SnapshotFileTests() => _options = new EstimationOptions { SnapshotPath = Path.Combine(_folder, "lengths.bin") };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Restore_AfterAnEnd_KnowsWhatWasLearnedAndItsHashKey()
    {
        var before = Learned();
        await SnapshotFile.KeepWriting(_options, () => before, hashKey: 7, new ManualTime(), NullLogger.Instance)!.DisposeAsync();
        var after = OutputLengthEstimators.Create(_options);

        var restored = SnapshotFile.Read(_options, NullLogger.Instance);
        restored.Restore(after, hashKey: 7);

        Assert.Equal(7ul, restored.HashKey);
        Assert.Equal(Median(before), Median(after));
        Assert.Equal(["lengths.bin"], Directory.GetFiles(_folder).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Restore_UnderAnotherHashKey_StartsAnew()
    {
        var before = Learned();
        await SnapshotFile.KeepWriting(_options, () => before, hashKey: 7, new ManualTime(), NullLogger.Instance)!.DisposeAsync();
        var after = OutputLengthEstimators.Create(_options);
        var fresh = Median(after);

        SnapshotFile.Read(_options, NullLogger.Instance).Restore(after, hashKey: 8);

        Assert.NotEqual(Median(before), fresh);
        Assert.Equal(fresh, Median(after));
    }

    [Fact]
    public void Restore_OfADamagedFile_StartsAnew()
    {
        File.WriteAllBytes(_options.SnapshotPath, new byte[300]);
        var lengths = OutputLengthEstimators.Create(_options);
        var fresh = Median(lengths);

        var restored = SnapshotFile.Read(_options, NullLogger.Instance);
        restored.Restore(lengths, hashKey: 7);

        Assert.Null(restored.HashKey);
        Assert.Equal(fresh, Median(lengths));
    }

    [Fact]
    public void Read_WithoutAFile_HoldsNothing()
    {
        Assert.Null(SnapshotFile.Read(_options, NullLogger.Instance).HashKey);
        Assert.Null(SnapshotFile.Read(new EstimationOptions(), NullLogger.Instance).HashKey);
        Assert.Null(SnapshotFile.KeepWriting(new EstimationOptions(), () => Learned(), 1, new ManualTime(), NullLogger.Instance));
    }

    [Fact]
    public async Task KeepWriting_WhereNothingCanBeWritten_Survives()
    {
        var nowhere = _options with { SnapshotPath = Path.Combine(_folder, "missing", "lengths.bin") };

        await SnapshotFile.KeepWriting(nowhere, () => Learned(), 1, new ManualTime(), NullLogger.Instance)!.DisposeAsync();

        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task KeepWriting_WhileAWriteFailsAsNoneShould_GoesOnWithTheNext()
    {
        var (time, logs, fails) = (new ManualTime(), new CapturedLogs(), true);
        var file = SnapshotFile.KeepWriting(_options, () => fails ? throw new InvalidOperationException("broken") : Learned(), 1, time, logs.CreateLogger(""))!;
        time.Advance(_options.SnapshotInterval);
        await Until.HoldsAsync(() => logs.Lines.Count == 1, "the first write failed");

        fails = false;
        await file.DisposeAsync();

        Assert.Equal(["lengths.bin"], Directory.GetFiles(_folder).Select(Path.GetFileName));
    }

    private static IOutputLengthEstimator Learned()
    {
        var lengths = OutputLengthEstimators.Create(new EstimationOptions());
        for (var i = 0; i < 100; i++)
        {
            ((IOutputLengthLearner)lengths).Learn(CorePool.Request(), "m", 900 + i, isCensored: false);
        }
        // A snapshot publishes every table: before it, readers may be some answers behind.
        LengthSnapshot.Write(lengths, 1);
        return lengths;
    }

    private static double Median(IOutputLengthEstimator lengths) => lengths.Predict(CorePool.Request(), "m").Quantile(0.5);
}
