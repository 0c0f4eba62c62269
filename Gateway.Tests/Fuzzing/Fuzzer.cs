using System.Globalization;
using Xunit.Abstractions;

namespace Gateway.Tests.Fuzzing;

/// <summary>Runs a reader over made inputs, each decided by the seed and its number. None may throw, hang, or allocate more than its length allows.</summary>
/// <param name="output">Where seed and figures go.</param>
/// <param name="seed">Of all cases.</param>
internal sealed class Fuzzer(ITestOutputHelper output, int seed)
{
    /// <summary>Cases of one run of the long category: <c>GATEWAY_FUZZ_CASES</c>, or a million.</summary>
    public static int LongCases { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("GATEWAY_FUZZ_CASES"), CultureInfo.InvariantCulture, out var cases) && cases > 0 ? cases : 1_000_000;

    // Far beyond what any case of the longest input takes; a hang fails here and says where.
    private static readonly TimeSpan CasePatience = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>Bytes that a case may allocate whatever its length: pools may be empty.</summary>
    public long FreeBytes { get; init; } = 512 << 10;

    /// <summary>Bytes that a case may allocate for each byte of its input.</summary>
    public long BytesPerInputByte { get; init; } = 32;

    /// <summary>Runs cases one after another on a thread of its own.</summary>
    /// <param name="cases">How many.</param>
    /// <param name="make">Draws an input.</param>
    /// <param name="read">What is tested; gets the case's further random numbers.</param>
    /// <param name="check">Throws where what was read is wrong.</param>
    public async Task RunAsync<T>(int cases, Func<Random, byte[]> make, Func<byte[], Random, T> read, Action<byte[], T> check)
    {
        output.WriteLine($"seed {seed}, {cases} cases");
        var now = 0;
        var running = Task.Factory.StartNew(
            () =>
            {
                var (bytes, worst) = (0L, 0L);
                for (; now < cases; now++)
                {
                    worst = Math.Max(worst, Run(now, make, read, check, out var length));
                    bytes += length;
                }
                output.WriteLine($"{bytes} bytes read; at most {worst} bytes allocated for one input");
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await EndsAsync(running, () => now);
    }

    private long Run<T>(int number, Func<Random, byte[]> make, Func<byte[], Random, T> read, Action<byte[], T> check, out int length)
    {
        var chance = new Random(unchecked((seed * 1_000_003) + number));
        var input = make(chance);
        length = input.Length;
        try
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var result = read(input, chance);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated <= FreeBytes + (BytesPerInputByte * input.Length), $"{allocated} bytes were allocated for {input.Length}.");
            check(input, result);
            return allocated;
        }
        catch (Exception wrong)
        {
            throw new InvalidOperationException($"Seed {seed}, case {number}: {wrong.Message}\n{Convert.ToBase64String(input)}\n{Shown(input)}", wrong);
        }
    }

    private async Task EndsAsync(Task running, Func<int> number)
    {
        using var looks = new PeriodicTimer(LookEvery);
        var (seen, since) = (-1, TimeProvider.System.GetTimestamp());
        while (!running.IsCompleted)
        {
            await looks.WaitForNextTickAsync();
            if (number() != seen)
            {
                (seen, since) = (number(), TimeProvider.System.GetTimestamp());
            }
            Assert.True(TimeProvider.System.GetElapsedTime(since) < CasePatience, $"Seed {seed}, case {seen} does not end.");
        }
        await running;
    }

    private static string Shown(byte[] input) => System.Text.Encoding.UTF8.GetString(input.AsSpan(0, Math.Min(input.Length, 2_000)));
}
