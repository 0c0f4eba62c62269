using Gateway.Estimation.Learned;

namespace Gateway.Tests.Estimation.Learned;

public sealed class LengthKeyTests
{
    [Fact]
    public void Judge_BeyondTheLargestCount_KeepsWhatIsKnown()
    {
        var key = Import(Counted(Export(new LengthKey(256, 512)), int.MaxValue));

        key.Judge(LengthExperts.Linear, 0.1, 10);
        var again = Import(Export(key));

        Assert.NotNull(key.LossOf(LengthExperts.Linear));
        Assert.Equal(key.LossOf(LengthExperts.Linear), again.LossOf(LengthExperts.Linear));
    }

    private static LengthKey Import(byte[] bytes) => LengthKey.Import(new BinaryReader(new MemoryStream(bytes)), 0, null, 512);

    private static byte[] Export(LengthKey key)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        key.Export(writer);
        writer.Flush();
        return bytes.ToArray();
    }

    // At the end, for each expert: its count, its correction and its loss.
    private static byte[] Counted(byte[] bytes, int count)
    {
        const int Each = sizeof(int) + (2 * sizeof(double));
        for (var i = 1; i <= LengthExperts.Count; i++)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(bytes.Length - (i * Each)), count);
        }
        return bytes;
    }
}
