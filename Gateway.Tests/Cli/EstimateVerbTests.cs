using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Gateway.Cli;
using Gateway.Tests.Replay.Traces;

namespace Gateway.Tests.Cli;

public sealed class EstimateVerbTests : IDisposable
{
    private readonly TraceReading _files = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("estimate-");
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    [Fact]
    public async Task Estimate_OfModelsWithLengthsOfTheirOwn_BeatsTheMedianOfAll()
    {
        var path = Prompts("app", ("short", 10), ("long", 1_000));

        var figures = await JsonAsync("--train", path, "--test", path, "--estimators", "running");

        var (median, running) = (Estimator(figures, "training median"), Estimator(figures, "running"));
        Assert.True(median.GetProperty("isBaseline").GetBoolean());
        Assert.True(Pooled(running, "meanAbsoluteError") < 0.6 * Pooled(median, "meanAbsoluteError"));
        Assert.Equal(["long", "short"], running.GetProperty("sources")[0].GetProperty("models").EnumerateArray().Select(model => model.GetProperty("model").GetString()));
        Assert.Contains(figures.GetProperty("targets").EnumerateArray(), target => target.GetProperty("isMet").GetBoolean() && target.GetProperty("value").GetDouble() > 0.4);
        Assert.Contains("| running", _output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", _output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", figures.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Estimate_OfEqualInputs_WritesEqualBytes()
    {
        var (one, other) = (Prompts("one", ("a", 10), ("b", 100)), Prompts("two", ("a", 30)));
        var (first, second) = (Path.Combine(_folder.FullName, "1.json"), Path.Combine(_folder.FullName, "2.json"));

        foreach (var mode in new[] { "--online", "--leave-out" })
        {
            Assert.Equal(0, await InvokeAsync("--train", one, "--test", one, other, mode, "--json", first));
            Assert.Equal(0, await InvokeAsync("--train", one, "--test", one, other, mode, "--json", second));

            Assert.Equal(await File.ReadAllBytesAsync(first), await File.ReadAllBytesAsync(second));
        }
    }

    [Fact]
    public async Task Estimate_LeavingOutFiles_TellsOfEachAsUnseen()
    {
        var (one, other) = (Prompts("one", ("a", 10)), Prompts("two", ("b", 500)));

        var figures = await JsonAsync("--test", one, other, "--leave-out", "--estimators", "running,constant");

        var running = figures.GetProperty("leaveOut")[0];
        Assert.Equal(["one.jsonl", "two.jsonl"], running.GetProperty("files").EnumerateArray().Select(file => file.GetProperty("file").GetString()));
        Assert.Equal(80, running.GetProperty("files")[0].GetProperty("rows").GetInt32());
        Assert.True(running.GetProperty("pooled").GetProperty("meanAbsoluteError").GetDouble() < 0.3 * running.GetProperty("pooled").GetProperty("othersMedianError").GetDouble());
        Assert.Contains("| Unseen: running", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("unseen: MAE under the others' median by 30 %", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Estimate_ByModel_HasARowForEach()
    {
        var path = Prompts("app", ("a", 10), ("b", 100));

        Assert.Equal(0, await InvokeAsync("--test", path, "--online", "--by-model"));

        Assert.Contains("| app / a ", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("| app / b ", _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--test FILE", "--train is needed")]
    [InlineData("--test FILE --leave-out", "--leave-out needs at least two files")]
    [InlineData("--test FILE --online --estimators runing", "no estimator is called \"runing\". Known: running,")]
    [InlineData("--test FILE --online --estimators ,", "no estimator is called \",\"")]
    [InlineData("--test FILE --online --json /no/such/folder/x", "--json: \"/no/such/folder/x\" is not a file in a folder that exists")]
    [InlineData("--test nothing.jsonl --online", "nothing.jsonl: cannot be read (no such file)")]
    public async Task Estimate_AskedWrongly_SaysWhatIsAllowedAndPrintsNothing(string arguments, string expected)
    {
        var path = Prompts("app", ("a", 10));

        Assert.Equal(2, await InvokeAsync(arguments.Replace("FILE", path, StringComparison.Ordinal).Split(' ')));

        Assert.Equal("", _output.ToString());
        Assert.Contains(expected, _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Estimate_OfADamagedFile_SaysWhereAndWritesNothing()
    {
        var (good, bad) = (Prompts("app", ("a", 10)), _files.Write("bad.jsonl", """{"prompt":"secret","prompt_tokens":1,"output_tokens":1}""", "{\"prompt\":\"secret\""));
        var json = Path.Combine(_folder.FullName, "out.json");

        Assert.Equal(2, await InvokeAsync("--train", good, "--test", bad, "--json", json));

        Assert.StartsWith("bad.jsonl:2: not valid JSON", _error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(("", 0), (_output.ToString(), _folder.GetFiles().Length));
    }

    [Fact]
    public async Task Estimate_OfOnePromptDivided_SaysThatASideIsEmpty()
    {
        var path = _files.Write("one.jsonl", """{"prompt":"x","prompt_tokens":1,"output_tokens":1}""");

        Assert.Equal(2, await InvokeAsync("--train", path, "--test", path));

        Assert.Contains("one side has no rows", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--train FILE --test FILE")]
    [InlineData("--test FILE --online")]
    [InlineData("--test FILE OTHER --leave-out")]
    public async Task Estimate_OfAnswersThatWereAllCut_SaysThatTheyTellNothing(string arguments)
    {
        var rows = Enumerable.Range(0, 50).Select(i => $$"""{"prompt":"x{{i}}","prompt_tokens":1,"output_tokens":16,"max_tokens":16}""").ToArray();
        var (path, other) = (_files.Write("cut.jsonl", rows), _files.Write("other.jsonl", rows));

        var code = await InvokeAsync(arguments.Replace("FILE", path, StringComparison.Ordinal).Replace("OTHER", other, StringComparison.Ordinal).Split(' '));

        Assert.Equal((2, ""), (code, _output.ToString()));
        Assert.StartsWith("cut.jsonl: every answer was cut (50)", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Estimate_OfRealPrompts_FindsThatModelsDiffer()
    {
        if (TestData.Find("prompts/flask.jsonl.gz") is not { } path)
        {
            return;
        }

        var figures = await JsonAsync("--train", path, "--test", path, "--estimators", "running");

        Assert.True(Pooled(Estimator(figures, "running"), "meanAbsoluteError") < Pooled(Estimator(figures, "training median"), "meanAbsoluteError"));
        Assert.Equal(6, Estimator(figures, "running").GetProperty("sources")[0].GetProperty("models").GetArrayLength());
    }

    public void Dispose()
    {
        _files.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>300 answers of each model, drawn between half and one and a half of its mean.</summary>
    private string Prompts(string source, params (string Model, int MeanTokens)[] models)
    {
        var chance = new Random(7);
        return _files.Write(source + ".jsonl",
        [
            .. Enumerable.Range(0, 300).SelectMany(index => models.Select(model => string.Create(CultureInfo.InvariantCulture,
                $$"""{"source":"{{source}}","prompt_id":"{{source}}{{index}}","model":"{{model.Model}}","prompt":"secret {{index}}","prompt_tokens":2,"output_tokens":{{(int)(model.MeanTokens * (0.5 + chance.NextDouble()))}}}"""))),
        ]);
    }

    private static JsonElement Estimator(JsonElement figures, string name) => figures.GetProperty("estimators").EnumerateArray().Single(entry => entry.GetProperty("name").GetString() == name);

    private static double Pooled(JsonElement estimator, string figure) => estimator.GetProperty("pooled").GetProperty(figure).GetDouble();

    private async Task<JsonElement> JsonAsync(params string[] arguments)
    {
        var path = Path.Combine(_folder.FullName, "out.json");
        Assert.Equal((0, ""), (await InvokeAsync([.. arguments, "--json", path]), _error.ToString()));
        return JsonSerializer.Deserialize<JsonElement>(await File.ReadAllBytesAsync(path));
    }

    private Task<int> InvokeAsync(params string[] arguments) =>
        EstimateVerb.Create().Parse(arguments).InvokeAsync(new InvocationConfiguration { Output = _output, Error = _error });
}
