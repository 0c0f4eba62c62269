using Gateway.Estimation;
using Gateway.Requests;
using Gateway.Requests.Sketching;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Estimation;

public sealed class LengthSnapshotTests
{
    public static TheoryData<string> WithMemory() => ["running", "linear", "ensemble"];

    [Theory]
    [MemberData(nameof(WithMemory))]
    public void Snapshot_OfWhatWasLearned_GivesTheSameEstimates(string name)
    {
        var before = Learned(name);
        var snapshot = LengthSnapshot.Write(before, hashKey: 99)!;
        var after = Create(name);

        Assert.True(LengthSnapshot.TryRead(snapshot, after));

        Assert.Equal(99ul, LengthSnapshot.HashKeyOf(snapshot));
        foreach (var request in Enumerable.Range(0, 60).Select(Request))
        {
            foreach (var quantile in (double[])[0.1, 0.5, 0.9])
            {
                var wanted = before.Predict(request, "m").Quantile(quantile);
                Assert.Equal(wanted, after.Predict(request, "m").Quantile(quantile), wanted * 1e-9);
            }
        }
        Assert.True(LengthSnapshot.Write(after, 99)!.AsSpan().SequenceEqual(snapshot), "another snapshot of the same");
    }

    [Theory]
    [InlineData("running")]
    [InlineData("ensemble")]
    public void Snapshot_DamagedAnywhere_IsRefused(string name)
    {
        var snapshot = LengthSnapshot.Write(Learned(name), 1)!;
        var chance = new Random(8);
        for (var i = 0; i < 60; i++)
        {
            var damaged = snapshot.ToArray();
            damaged[i < 8 ? i : chance.Next(damaged.Length)] ^= (byte)(1 << chance.Next(8));

            Assert.Null(LengthSnapshot.HashKeyOf(damaged));
            Assert.False(LengthSnapshot.TryRead(damaged, Create(name)));
            Assert.False(LengthSnapshot.TryRead(snapshot[..chance.Next(snapshot.Length)], Create(name)));
        }
    }

    [Fact]
    public void Snapshot_OfAnotherEstimator_IsRefused()
    {
        Assert.False(LengthSnapshot.TryRead(LengthSnapshot.Write(Learned("linear"), 1)!, Create("ensemble")));
        Assert.Null(LengthSnapshot.Write(Create("constant"), 1));
    }

    private static IOutputLengthEstimator Create(string name) => OutputLengthEstimators.Create(new EstimationOptions { Estimator = name });

    private static IOutputLengthEstimator Learned(string name)
    {
        var lengths = Create(name);
        var chance = new Random(1);
        for (var i = 0; i < 500; i++)
        {
            ((IOutputLengthLearner)lengths).Learn(Request(chance.Next(60)), "m", chance.Next(1, 60) * (1 + (i % 5)), isCensored: i % 17 == 0);
        }
        return lengths;
    }

    private static InferenceRequest Request(int kind) => CorePool.Request() with
    {
        TenantKey = (ulong)(kind % 7),
        Body = new BodyFacts { PromptBytes = kind * 10, HasTools = kind % 3 == 0, Sketch = TextSketch.Of($"please do task number {kind} of {kind % 4}") },
    };
}
