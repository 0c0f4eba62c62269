using System.CommandLine;
using Gateway.Cli;

namespace Gateway.Tests.Cli;

public sealed class CheckVerbTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Check_OfAGoodFile_CountsModelsAndReplicas()
    {
        File.WriteAllText(_path, "models:\n  - { name: a, replicas: [http://a:1, http://b:1] }\n  - { name: b, replicas: [http://c:1] }\n");

        var (code, output, error) = Run("--config", _path);

        Assert.Equal((0, $"{_path}: ok, 2 models, 3 replicas.\n", ""), (code, output, error));
    }

    [Fact]
    public void Check_OfAFileWithoutItsOption_IsTheSame()
    {
        File.WriteAllText(_path, "models:\n  - { name: a, replicas: [http://a:1] }\n");

        Assert.Equal((0, $"{_path}: ok, 1 model, 1 replica.\n", ""), Run(_path));
        Assert.NotEqual(0, Run(_path, "--config", _path).Code);
    }

    [Fact]
    public void Check_OfAnEngineInTwoModels_WarnsAndExitsWithZero()
    {
        File.WriteAllText(_path, "models:\n  - { name: a, replicas: [http://a:1] }\n  - name: b\n    replicas:\n      - http://a:1\n");

        var (code, output, error) = Run("--config", _path);

        Assert.Equal((0, $"{_path}: ok, 2 models, 2 replicas.\n"), (code, output));
        Assert.StartsWith($"{_path}:5:9  models[1].replicas[0]: is the engine of models[0].replicas[0] too", error, StringComparison.Ordinal);
        Assert.EndsWith("1 warning. The gateway would start.\n", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_OfABadFile_ListsItsProblemsAndExitsWithTwo()
    {
        File.WriteAllText(_path, "models: []\nmod: plain\n");

        var (code, output, error) = Run("--config", _path);

        Assert.Equal((2, ""), (code, output));
        Assert.Equal(
            $"{_path}:1:9  models: no model is configured. Give at least one with a name and its replicas.\n"
            + $"{_path}:2:1  mod: unknown setting. Did you mean \"mode\"?\n"
            + "2 problems. The gateway would not start.\n",
            error);
    }

    [Fact]
    public void Check_OfAMissingFile_SaysSo()
    {
        var (code, _, error) = Run("--config", _path + ".missing");

        Assert.Equal((2, $"{_path}.missing  There is no such file.\n1 problem. The gateway would not start.\n"), (code, error));
    }

    [Fact]
    public void Check_OfAFolder_SaysSo()
    {
        var (code, _, error) = Run("--config", Path.GetTempPath());

        Assert.Equal(2, code);
        Assert.Contains("The file cannot be read: access denied, or a folder.", error, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var code = new RootCommand { CheckVerb.Create() }.Parse(["check", .. arguments]).Invoke(new InvocationConfiguration { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
