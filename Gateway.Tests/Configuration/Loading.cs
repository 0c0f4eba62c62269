using Gateway.Configuration;

namespace Gateway.Tests.Configuration;

/// <summary>Short ways to load a text in a test.</summary>
internal static class Loading
{
    /// <summary>Three lines that are a whole configuration; what a test adds starts on line 4.</summary>
    public const string OneModel = "models:\n  - name: m\n    replicas: [http://10.0.0.1:8000]\n";

    public static readonly IReadOnlyDictionary<string, string> NoEnvironment = new Dictionary<string, string>();

    public static LoadResult<GatewayOptions> Load(string text, params (string Name, string Value)[] environment) =>
        ConfigurationLoader.Load(text, "test.yaml", environment.ToDictionary(variable => variable.Name, variable => variable.Value));

    /// <summary>The options of a text that must be good.</summary>
    public static GatewayOptions Good(string text, params (string Name, string Value)[] environment)
    {
        var (options, problems) = Load(text, environment);

        Assert.Empty(problems);
        return Assert.IsType<GatewayOptions>(options);
    }

    /// <summary>The problems of a text that must be bad, one line each: <c>spot path: message</c>.</summary>
    public static string[] Bad(string text, params (string Name, string Value)[] environment)
    {
        var (options, problems) = Load(text, environment);

        Assert.Null(options);
        Assert.NotEmpty(problems);
        return [.. problems.Select(problem => $"{problem.Where} {problem}")];
    }

    /// <summary>The repository's root, found by its solution.</summary>
    public static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Gateway.sln")))
        {
            folder = folder.Parent;
        }

        return folder.FullName;
    }
}
