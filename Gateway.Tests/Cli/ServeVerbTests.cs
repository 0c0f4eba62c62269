using System.CommandLine;
using Gateway.Cli;

namespace Gateway.Tests.Cli;

public sealed class ServeVerbTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("serve-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Serve_OnAnAddressOfAnotherMachine_SaysSoAndEndsWithOne()
    {
        var file = Path.Combine(_folder.FullName, "gateway.yaml");
        await File.WriteAllTextAsync(file, "listen: http://192.0.2.1:8080\ntelemetry: { accessLog: 'off' }\nmodels: [{ name: m, replicas: [http://127.0.0.1:9] }]\n");
        using var error = new StringWriter();

        var code = await new RootCommand { ServeVerb.Create() }.Parse(["serve", "--config", file]).InvokeAsync(new InvocationConfiguration { Error = error, EnableDefaultExceptionHandler = false });

        Assert.Equal(1, code);
        Assert.StartsWith("Cannot listen on http://192.0.2.1:8080: ", error.ToString(), StringComparison.Ordinal);
        Assert.Contains(file, error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_OfAFileWithoutItsOption_IsTheSame()
    {
        var missing = Path.Combine(_folder.FullName, "none.yaml");
        using var error = new StringWriter { NewLine = "\n" };

        var code = await new RootCommand { ServeVerb.Create() }.Parse(["serve", missing]).InvokeAsync(new InvocationConfiguration { Error = error });

        Assert.Equal((2, $"{missing}  There is no such file.\n1 problem. The gateway does not start.\n"), (code, error.ToString()));
        Assert.Single(new RootCommand { ServeVerb.Create() }.Parse(["serve", missing, "--config", missing]).Errors);
    }
}
