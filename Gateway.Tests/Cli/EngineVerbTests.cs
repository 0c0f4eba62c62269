using System.CommandLine;
using System.Text.RegularExpressions;
using Gateway.Cli;

namespace Gateway.Tests.Cli;

public partial class EngineVerbTests
{
    [Theory]
    [InlineData("--profile nope", "Known: a100-80g-llama-8b, demo")]
    [InlineData("--fail-rate 1.5", "a share, 0 to 1")]
    [InlineData("--fail-rate 0,5", "a share, 0 to 1")]
    [InlineData("--speed 0", "above 0")]
    [InlineData("--speed 1,5", "above 0, at most 1000000")]
    [InlineData("--kv-blocks 1000000000", "1 to 100000000")]
    [InlineData("--model one --model \"\"", "at least one character")]
    [InlineData("--port 70000", "0 to 65535")]
    [InlineData("--port many", "0 to 65535")]
    [InlineData("--host nowhere", "not an address")]
    [InlineData("--scheduling-policy random", "fcfs")]
    [InlineData("--max-num-seqs 0", "1 to 100000")]
    public void Parse_OfABadFlag_SaysWhatIsAllowed(string flags, string expected)
    {
        var root = new RootCommand { EngineVerb.Create() };

        var parsed = root.Parse("engine " + flags);

        Assert.Contains(parsed.Errors, error => error.Message.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Invoke_OnAnAddressOfAnotherMachine_SaysSoAndIs1()
    {
        using var error = new StringWriter();

        var code = await new RootCommand { EngineVerb.Create() }.Parse("engine --host 192.0.2.1 --port 0").InvokeAsync(new InvocationConfiguration { Error = error, EnableDefaultExceptionHandler = false });

        Assert.Equal(1, code);
        Assert.StartsWith("Cannot listen on 192.0.2.1 port 0: ", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Invoke_WithGoodFlags_PrintsTheUrlInOneLineAndServesUntilStopped()
    {
        var root = new RootCommand { EngineVerb.Create() };
        using var stop = new CancellationTokenSource();
        using var output = new AwaitedWriter();

        var run = root.Parse("engine --port 0 --model one --model two --kv-blocks 64 --max-model-len 512").InvokeAsync(new InvocationConfiguration { Output = output }, stop.Token);
        var line = await output.Line.Task.WaitAsync(TimeSpan.FromSeconds(20));
        using var client = new HttpClient();
        var models = await client.GetStringAsync(new Uri(Url().Match(line).Value + "/v1/models"));
        await stop.CancelAsync();

        Assert.Equal(0, await run.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.EndsWith(" profile demo model one, two", line, StringComparison.Ordinal);
        Assert.Contains("\"id\":\"two\"", models, StringComparison.Ordinal);
        Assert.Contains("\"max_model_len\":512", models, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Url();

    private sealed class AwaitedWriter : StringWriter
    {
        public TaskCompletionSource<string> Line { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override Task WriteLineAsync(string? value)
        {
            Line.TrySetResult(value ?? string.Empty);
            return Task.CompletedTask;
        }
    }
}
