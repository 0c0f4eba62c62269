using System.Globalization;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does a decision cost in processor time? The least of several rounds: on a machine that others use, too, the clock on the wall says more about them.</summary>
internal static class DecisionCost
{
    private const int Rounds = 12;
    private const int PerRound = 4_000;

    // What ends lets in the next one, and what enters is tried.
    private const int DecisionsPerTurn = 2;

    /// <param name="options">Part of the names of those that are measured; none: all.</param>
    public static int Run(IReadOnlyList<string> options)
    {
        var pattern = options.Count > 0 ? options[0] : "";
        Console.WriteLine("| decision | processor time | allocated |");
        Console.WriteLine("|---|---|---|");
        foreach (var replicas in (int[])[4, 16, 64])
        {
            Measure(pattern, $"nobody waits, {replicas} replicas", () =>
            {
                var world = new DispatcherBenchmarks { Replicas = replicas };
                world.Prepare();
                return (world, () => _ = world.ChooseAndReserve(), 1);
            });
        }
        foreach (var fleet in DecisionBenchmarks.Fleets)
        {
            Measure(pattern, fleet, () =>
            {
                var world = new DecisionBenchmarks { Fleet = fleet };
                world.Prepare();
                return (world, world.EndOneAdmitTheNext, DecisionsPerTurn);
            });
        }
        foreach (var replicas in (int[])[16, 1_000])
        {
            foreach (var blocks in (int[])[100_000, 10_000_000])
            {
                Measure(pattern, string.Create(CultureInfo.InvariantCulture, $"prefixes of one prompt found and noted, {replicas} replicas, {blocks:N0} blocks"), () =>
                {
                    var world = new PrefixIndexBenchmarks { Replicas = replicas, Blocks = blocks };
                    world.Prepare();
                    return (null, () => world.FindAndNote(), 1);
                });
                Measure(pattern, string.Create(CultureInfo.InvariantCulture, $"prefixes of a new prompt noted, the oldest forgotten, {replicas} replicas, {blocks:N0} blocks"), () =>
                {
                    var world = new PrefixIndexBenchmarks { Replicas = replicas, Blocks = blocks };
                    world.Prepare();
                    return (null, () => world.FindNothingAndForget(), 1);
                });
                Measure(pattern, string.Create(CultureInfo.InvariantCulture, $"memory looked at for them alone, {replicas} replicas, {blocks:N0} blocks"), () =>
                {
                    var world = new PrefixIndexBenchmarks { Replicas = replicas, Blocks = blocks };
                    world.Prepare();
                    return (null, () => world.LookOnly(), 1);
                });
            }
        }
        return 0;
    }

    private static void Measure(string pattern, string name, Func<(IDisposable? World, Action Step, int Decisions)> prepare)
    {
        if (!name.Contains(pattern, StringComparison.Ordinal))
        {
            return;
        }
        var (world, step, decisions) = prepare();
        using (world)
        {
            // Until the runtime has compiled what is hot.
            for (var warmUp = 0; warmUp < 4; warmUp++)
            {
                Repeat(step, 2 * PerRound);
                Thread.Sleep(200);
            }
            var (least, bytes) = (TimeSpan.MaxValue, 0L);
            for (var round = 0; round < Rounds; round++)
            {
                var (cpu, allocated) = (Environment.CpuUsage.TotalTime, GC.GetAllocatedBytesForCurrentThread());
                Repeat(step, PerRound);
                bytes = (GC.GetAllocatedBytesForCurrentThread() - allocated) / (PerRound * decisions);
                var taken = Environment.CpuUsage.TotalTime - cpu;
                least = taken < least ? taken : least;
            }
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {least.TotalMicroseconds / (PerRound * decisions):F2} µs | {bytes:N0} B |"));
        }
    }

    private static void Repeat(Action step, int times)
    {
        for (var i = 0; i < times; i++)
        {
            step();
        }
    }
}
