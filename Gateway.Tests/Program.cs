using BenchmarkDotNet.Running;
using Gateway.Tests.Benchmarks;
using Gateway.Tests.Benchmarks.Proxy;

// dotnet test does not come by here: this is the verb `bench`, and the processes that it starts.
switch (args)
{
    case ["bench", "proxy", .. var options]:
        return await ProxyBenchmark.RunAsync(options);
    case ["bench", "decisions", .. var options]:
        return DecisionCost.Run(options);
    case ["bench", .. var options]:
        return BenchmarkSwitcher.FromAssembly(typeof(BenchmarkSettings).Assembly).Run(options, new BenchmarkSettings()).Any() ? 0 : 1;
    case ["backend", var port]:
        return await FakeBackend.RunAsync(int.Parse(port, System.Globalization.CultureInfo.InvariantCulture));
    case ["yarp", var port, var backend]:
        return await BareYarp.RunAsync(int.Parse(port, System.Globalization.CultureInfo.InvariantCulture), new Uri(backend));
    default:
        await Console.Error.WriteLineAsync("usage: bench --filter PATTERN | bench decisions [PATTERN] | bench proxy [--seconds N] [--rounds N]");
        return 2;
}
