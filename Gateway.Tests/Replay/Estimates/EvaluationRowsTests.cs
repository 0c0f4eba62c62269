using Gateway.Replay.Estimates;
using static Gateway.Tests.Replay.Estimates.LabelledRows;

namespace Gateway.Tests.Replay.Estimates;

public sealed class EvaluationRowsTests
{
    private static readonly LabelledFile One = new("one", [.. Enumerable.Range(0, 2_000).Select(index => Row(index, "one", promptKey: (ulong)index))]);
    private static readonly LabelledFile Other = new("other", [.. Enumerable.Range(0, 2_000).Select(index => Row(index, "other", "n", promptKey: (ulong)index / 4))]);

    [Fact]
    public void Of_TheSameFilesForBoth_KeepsEachPromptOnOneSide()
    {
        var rows = EvaluationRows.Of([One, Other], [One, Other], seed: 1);

        var trained = rows.Training.Select(row => row.PromptKey).ToHashSet();
        Assert.Equal(4_000, rows.Training.Count + rows.Test.Count);
        Assert.DoesNotContain(rows.Test, row => trained.Contains(row.PromptKey));
        Assert.InRange(trained.Count / 2_000.0, 0.57, 0.63);
    }

    [Fact]
    public void Of_OneFileInBothLists_DividesTheOtherFilesToo()
    {
        var rows = EvaluationRows.Of([One, Other], [One], seed: 1);

        var trained = rows.Training.Select(row => row.PromptKey).ToHashSet();
        Assert.DoesNotContain(rows.Test, row => trained.Contains(row.PromptKey));
        Assert.DoesNotContain(rows.Test, row => row.Source == "other");
        Assert.Contains(rows.Training, row => row.Source == "other");
    }

    [Fact]
    public void Of_DifferentFiles_TakesAllRows()
    {
        var rows = EvaluationRows.Of([One], [Other], seed: 1);

        Assert.Equal((2_000, 2_000), (rows.Training.Count, rows.Test.Count));
    }

    [Fact]
    public void Of_TheSameSeed_DividesAlikeAndOfAnotherOtherwise()
    {
        ulong[] Tested(int seed) => [.. EvaluationRows.Of([One], [One], seed).Test.Select(row => row.PromptKey)];

        Assert.Equal(Tested(1), Tested(1));
        Assert.NotEqual(Tested(1), Tested(2));
    }

    [Fact]
    public void Interleave_OfAShortAndALongFile_SpreadsTheShortOneEvenly()
    {
        var rows = RowOrder.Interleave([[Row(1), Row(2)], [Row(10), Row(11), Row(12), Row(13)]]);

        Assert.Equal([10, 1, 11, 12, 2, 13], rows.Select(row => row.OutputTokens));
    }
}
